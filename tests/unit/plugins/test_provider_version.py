"""The version a plugin says it has is that of its SDK, or the engine warns on each run."""

from importlib.metadata import version

import pytest

from sandbox.plugins.install import NAMES
from sandbox.plugins.provider import sdk_version


@pytest.mark.parametrize("name", [name for name in NAMES if name != "docker-build"])
def test_the_version_is_that_of_the_installed_sdk(name: str) -> None:
    assert sdk_version(name) == version(f"pulumi-{name}")


def test_an_sdk_that_is_missing_is_said_so() -> None:
    with pytest.raises(ImportError, match="needs the package pulumi-nothing"):
        sdk_version("nothing")
