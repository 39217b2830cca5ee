"""Secrets of Secrets Manager through the real engine."""

from collections.abc import Iterator

import boto3
import pytest
from mypy_boto3_secretsmanager import SecretsManagerClient

from tests.e2e.plugins.engine import Engine
from tests.e2e.plugins.plugin_set import offline_only

pytestmark = [pytest.mark.e2e, pytest.mark.sampled(3)]

CANARY = "canary-aws-5d0b17"
READ = "import pulumi, pulumi_aws as aws\nread = aws.secretsmanager.get_secret_version_output\n"


@pytest.fixture
def engine(engine: Engine) -> Engine:
    """Functions only read, so there is nothing to destroy."""
    engine.abandoned = True
    return engine


@pytest.fixture
def manager() -> SecretsManagerClient:
    return boto3.client("secretsmanager")


@pytest.fixture
def secret(manager: SecretsManagerClient, unique: str) -> Iterator[str]:
    """A secret of the test's own, which has one older version."""
    manager.create_secret(Name=unique, SecretString="older")
    manager.put_secret_value(SecretId=unique, SecretString=CANARY)
    yield unique
    manager.delete_secret(SecretId=unique, ForceDeleteWithoutRecovery=True)


def test_a_secret_is_read_and_stays_secret(engine: Engine, secret: str, manager: SecretsManagerClient) -> None:
    engine.program(
        READ
        + f"""
current = read(secret_id=pulumi.Output.secret("{secret}"))
previous = read(secret_id=pulumi.Output.secret(current.arn), version_stage="AWSPREVIOUS")
for key in ("arn", "secret_arn", "created_date", "id", "region", "secret_id", "secret_string", "secret_binary",
            "version_id", "version_stage", "version_stages"):
    pulumi.export(key, getattr(current, key))
pulumi.export("previous", previous.secret_string)
"""
    )

    result = engine.up()

    assert result.ok, result.output
    real = manager.describe_secret(SecretId=secret)
    outputs = engine.outputs(show_secrets=True)
    assert outputs["secret_string"] == CANARY
    assert outputs["previous"] == "older"
    assert not outputs.get("secret_binary")
    assert outputs["arn"] == outputs["secret_arn"] == real["ARN"]
    assert outputs["secret_id"] == secret
    assert outputs["id"] == f"{secret}|AWSCURRENT"
    assert outputs["version_stage"] == "AWSCURRENT"
    assert outputs["version_stages"] == ["AWSCURRENT"]
    assert real["VersionIdsToStages"][outputs["version_id"]] == ["AWSCURRENT"]
    assert outputs["region"] == manager.meta.region_name
    assert outputs["created_date"].startswith("20")
    assert engine.outputs()["secret_string"] == "[secret]"
    assert CANARY not in result.output + engine.export()


@offline_only("aws")
def test_a_value_is_secret_by_itself(engine: Engine, secret: str) -> None:
    # Not with the official plugin: pulumi-aws#1449.
    engine.program(READ + f"pulumi.export('value', read(secret_id='{secret}').secret_string)\n")

    assert engine.up().ok

    assert engine.outputs()["value"] == "[secret]"
    assert CANARY not in engine.export()


def test_a_new_value_is_seen_by_the_next_run(engine: Engine, secret: str, manager: SecretsManagerClient) -> None:
    engine.program(READ + f"pulumi.export('version', pulumi.Output.unsecret(read(secret_id='{secret}').version_id))\n")
    assert engine.up().ok
    before = engine.outputs()["version"]

    manager.put_secret_value(SecretId=secret, SecretString="newer")

    assert engine.up().ok
    assert engine.outputs()["version"] != before


def test_a_missing_secret_is_named_also_in_a_preview(engine: Engine, unique: str) -> None:
    engine.program(READ + f"read(secret_id='{unique}')\n")

    result = engine.preview()

    assert not result.ok
    assert "reading" in result.output
    assert unique in result.output


def test_a_deleted_secret_is_an_error(engine: Engine, secret: str, manager: SecretsManagerClient) -> None:
    manager.delete_secret(SecretId=secret)
    engine.program(READ + f"read(secret_id='{secret}')\n")

    result = engine.preview()

    assert not result.ok
    assert secret in result.output


@offline_only("aws")
def test_an_endpoint_that_does_not_answer_is_named_in_time(engine: Engine, unique: str) -> None:
    engine.environment.update(AWS_ENDPOINT_URL="http://127.0.0.1:1")
    engine.program(READ + f"read(secret_id='{unique}')\n")

    result = engine.preview()

    assert not result.ok
    assert result.seconds < 30
    assert "http://127.0.0.1:1" in result.output
    assert "AWS_ENDPOINT_URL" in result.output


@offline_only("aws")
def test_anything_else_is_refused_with_the_way_to_the_official_plugin(engine: Engine, unique: str) -> None:
    engine.program(f"import pulumi_aws as aws\naws.s3.Bucket('{unique}')\n")

    result = engine.preview()

    assert not result.ok
    assert "aws:s3/bucket:Bucket" in result.output
    assert "DEPLOYTAG_PLUGINS" in result.output
