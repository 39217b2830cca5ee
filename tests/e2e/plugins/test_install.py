"""Installed plugins are what the real engine finds and runs."""

import json
import os
import shutil
from pathlib import Path

import pytest

from sandbox.plugins.install import NAMES, install, sdk_versions
from tests.e2e.plugins.engine import Engine

pytestmark = pytest.mark.e2e


@pytest.fixture
def toolchain_bin() -> Path:
    found = shutil.which("pulumi")
    assert found
    return Path(found).parent


def listed(engine: Engine) -> dict[str, str]:
    """The provider plugins that the engine knows, with their versions."""
    text = engine.must("plugin", "ls", "--json")
    plugins = json.loads(text[text.index("[") :])
    return {plugin["name"]: plugin["version"] for plugin in plugins if plugin["kind"] == "resource"}


def test_the_engine_lists_and_runs_what_was_installed(engine: Engine, toolchain_bin: Path, tmp_path: Path) -> None:
    home, engine.abandoned = tmp_path / "home", True
    engine.environment["PULUMI_HOME"] = str(home)

    install("offline", home, toolchain_bin)

    assert listed(engine) == {name: sdk_versions()[name] for name in NAMES}
    engine.program(
        "import pulumi_aws as aws\naws.Provider('it', region='us-east-1', skip_credentials_validation=True)\n"
    )
    result = engine.up()
    assert result.ok, result.output
    assert "pulumi-resource-aws from $PATH" not in result.output


def test_a_folder_may_be_the_plugins_of_another_home(engine: Engine, toolchain_bin: Path, tmp_path: Path) -> None:
    home, engine.abandoned = tmp_path / "home", True
    engine.environment["PULUMI_HOME"] = str(home)

    statuses = install(str(Path(os.environ["PULUMI_HOME"]) / "plugins"), home, toolchain_bin)

    assert {status.name: status.source for status in statuses} == dict.fromkeys(NAMES, "folder")
    assert listed(engine) == {name: sdk_versions()[name] for name in NAMES}
