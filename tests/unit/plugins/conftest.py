"""A PULUMI_HOME and a toolchain for each test that installs plugins."""

from pathlib import Path

import pytest

from sandbox.plugins.install import install
from tests.unit.plugins.installing import FAILS, Install, executable


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def toolchain_bin(tmp_path: Path) -> Path:
    place = tmp_path / "toolchain" / "bin"
    place.mkdir(parents=True)
    plugins = place.parent / "plugins"
    plugins.mkdir()
    executable(plugins / "pulumi-resource-docker-build", "built")
    executable(place / "pulumi", FAILS)
    return place


@pytest.fixture
def run(home: Path, toolchain_bin: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    monkeypatch.delenv("DEPLOYTAG_PLUGINS", raising=False)
    return lambda choice: install(choice, home, toolchain_bin)
