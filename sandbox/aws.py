"""The sandbox's AWS account: how to reach it, and what it holds from the start."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from sandbox.config import Config

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

SEED = Path(__file__).parent / "seed" / "secrets.yaml"
# Names the version that a seeded secret has, as long as nobody changed it.
TAG = "deploytag/seed"
# Obviously not anybody's: moto accepts every key.
ACCESS_KEY = "sandbox-not-a-real-key"
SECRET_KEY = "sandbox-not-a-real-secret"  # noqa: S105
_NAMESPACE = uuid.UUID("5f0d7d5e-0c63-4a53-9a53-6f3d1a0f6a52")


@dataclass(frozen=True)
class Seed:
    """A secret as the repository describes it."""

    name: str
    description: str
    value: str

    @property
    def version(self) -> str:
        """The version id: the same content always has the same."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.name}\0{self.value}"))


@dataclass(frozen=True)
class Present:
    """A secret as the account has it."""

    version: str
    seeded: str  # the version it was seeded with, "" if it was not


def seeds(text: str) -> list[Seed]:
    """The secrets that a seed file describes; a mapping becomes a JSON object."""
    return [
        Seed(name, entry["description"], value if isinstance(value := entry["value"], str) else json.dumps(value))
        for name, entry in yaml.safe_load(text).items()
    ]


def decide(wanted: list[Seed], present: Mapping[str, Present]) -> tuple[list[Seed], list[Seed]]:
    """Which secrets to create and which to update: those still as an earlier seed left them, never a user's."""
    create = [seed for seed in wanted if seed.name not in present]
    update = [
        seed
        for seed in wanted
        if (now := present.get(seed.name)) and now.version == now.seeded and now.version != seed.version
    ]
    return create, update


def client(config: Config) -> "SecretsManagerClient":
    """Secrets Manager of the sandbox."""
    import boto3  # noqa: PLC0415 - half a second that `status` and `env` need not wait

    return boto3.client(
        "secretsmanager",
        endpoint_url=config.aws_url,
        region_name=config.region,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )


def seed(config: Config) -> None:
    """Make the account hold at least what the seed file describes."""
    manager = client(config)
    create, update = decide(seeds(SEED.read_text()), _present(manager))
    for secret in create:
        manager.create_secret(
            Name=secret.name,
            Description=secret.description,
            SecretString=secret.value,
            ClientRequestToken=secret.version,
            Tags=[{"Key": TAG, "Value": secret.version}],
        )
    for secret in update:
        manager.put_secret_value(SecretId=secret.name, SecretString=secret.value, ClientRequestToken=secret.version)
        manager.tag_resource(SecretId=secret.name, Tags=[{"Key": TAG, "Value": secret.version}])


def _present(manager: "SecretsManagerClient") -> dict[str, Present]:
    found = {}
    # A secret that is scheduled for deletion is the user's decision too.
    for page in manager.get_paginator("list_secrets").paginate(IncludePlannedDeletion=True):
        for entry in page["SecretList"]:
            current = [
                version for version, stages in entry.get("SecretVersionsToStages", {}).items() if "AWSCURRENT" in stages
            ]
            tags = {tag.get("Key"): tag.get("Value", "") for tag in entry.get("Tags", [])}
            found[entry["Name"]] = Present(current[0] if current else "", tags.get(TAG, ""))
    return found
