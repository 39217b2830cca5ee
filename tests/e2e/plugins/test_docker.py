"""Digests of tags through the real engine, from the sandbox's registry."""

import os

import pytest

from sandbox import registry
from sandbox.lifecycle import Sandbox
from tests.e2e.plugins.engine import Engine
from tests.e2e.plugins.plugin_set import offline_only

pytestmark = [pytest.mark.e2e, pytest.mark.sampled(2)]

REGISTRY = Sandbox.here().config.registry
# The official plugin, too, takes a registry for one without TLS only where its address says so.
PROGRAM = f"""
import pulumi, pulumi_docker as docker
auth = docker.ProviderRegistryAuthArgs(address="http://{REGISTRY}", auth_disabled=True)
provider = docker.Provider("registry", registry_auth=[auth], disable_docker_daemon_check=True)
digest = lambda name: docker.get_registry_image_output(name=name, opts=pulumi.InvokeOutputOptions(provider=provider))
"""


@pytest.fixture
def engine(engine: Engine) -> Engine:
    """Functions only read, so there is nothing to destroy."""
    engine.abandoned = True
    return engine


def test_the_digest_of_a_tag(engine: Engine) -> None:
    engine.program(
        PROGRAM + f"pulumi.export('digest', digest('{REGISTRY}/library/debian:bookworm-slim').sha256_digest)\n"
    )

    result = engine.up()

    assert result.ok, result.output
    assert engine.outputs() == {"digest": registry.digest(REGISTRY, "library/debian", "bookworm-slim")}


def test_a_missing_tag_is_an_error(engine: Engine, unique: str) -> None:
    engine.program(PROGRAM + f"digest('{REGISTRY}/library/debian:{unique}')\n")

    result = engine.preview()

    assert not result.ok
    assert "library/debian" in result.output
    assert unique in result.output


@offline_only("docker")
def test_images_of_docker_hub_come_from_its_mirror(engine: Engine) -> None:
    engine.environment.setdefault(
        "DEPLOYTAG_DOCKER_MIRROR", os.environ.get("DEPLOYTAG_DOCKER_MIRROR", f"http://{REGISTRY}")
    )
    engine.program(
        "import pulumi, pulumi_docker as docker\n"
        "pulumi.export('digest', docker.get_registry_image_output(name='debian:bookworm-slim').sha256_digest)\n"
    )

    result = engine.up()

    assert result.ok, result.output
    assert engine.outputs() == {"digest": registry.digest(REGISTRY, "library/debian", "bookworm-slim")}


@offline_only("docker")
def test_anything_else_is_refused_with_the_way_to_the_official_plugin(engine: Engine) -> None:
    engine.program("import pulumi_docker as docker\ndocker.Network('net')\n")

    result = engine.preview()

    assert not result.ok
    assert "docker:index/network:Network" in result.output
    assert "DEPLOYTAG_PLUGINS" in result.output
