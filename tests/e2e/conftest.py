"""End-to-end tests: the real engine, cluster, builder and database of the running sandbox."""

import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from mypy_boto3_secretsmanager import SecretsManagerClient

from tests.e2e.program.checkout import Checkout, become_administrator, checkout

become_administrator()


@pytest.fixture(scope="session", autouse=True)
def _sandbox_is_here() -> None:
    if "DEPLOYTAG_SANDBOX" not in os.environ:
        pytest.exit('These tests need the sandbox: run `make test`, or `eval "$(make -s env)"` first.', returncode=2)


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Checkout]:
    """A checkout of the sample application; what it deployed is destroyed at the end."""
    with checkout(tmp_path / "shop") as it:
        yield it


@pytest.fixture
def secrets_manager() -> SecretsManagerClient:
    """The sandbox's Secrets Manager."""
    return boto3.client("secretsmanager")
