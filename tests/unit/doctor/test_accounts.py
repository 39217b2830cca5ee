"""What AWS and PostgreSQL say of us, and that no secret is ever read."""

import json
from typing import Any

import boto3
import botocore.session
import pytest
from moto import mock_aws

from deploytag.delivery.doctor import accounts
from deploytag.delivery.doctor.findings import Level
from deploytag.errors import UnreachableError
from deploytag.settings import ApplicationSettings, Policy, Settings


def settings(**feature: Any) -> Settings:
    values = {"pattern": "feature/*", "secrets": [], "database": False, "migrations": False, **feature}
    policy = Policy.model_validate({"cluster": {"server": "https://a"}, "classes": {"feature": values}})
    return Settings(ApplicationSettings(), policy)


def sharing(*keys: str | None) -> Settings:
    """Classes a, b, c, … with these keys."""
    classes = {
        name: {"pattern": f"{name}/*", "secrets": [], "database": key is not None, "migrations": False}
        | ({} if key is None else {"database_key": key})
        for name, key in zip("abcd", keys, strict=False)
    }
    policy = Policy.model_validate({"cluster": {"server": "https://a"}, "classes": classes})
    return Settings(ApplicationSettings(), policy)


def test_classes_that_derive_their_passwords_from_one_key_are_named() -> None:
    assert [*accounts.shared_keys(sharing("one", "two", None))] == []
    (found,) = accounts.shared_keys(sharing("one", "two", "one", None))
    assert found.level == Level.WARNING
    assert "the database passwords of a, c are derived from one key, one" in found.seen
    assert "`database_key`" in found.cure


def test_a_key_of_several_classes_is_a_warning_of_the_check(account: Any) -> None:
    account.create_secret(Name="one", SecretString="x")
    assert [finding.level for finding in accounts.aws(sharing("one", "one"))] == [Level.OK, Level.OK, Level.WARNING]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "b"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield boto3.client("secretsmanager")


def test_every_secret_of_the_policy_is_described_and_none_is_read(
    account: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.create_secret(Name="there", SecretString=json.dumps({"API_TOKEN": "s3cret"}))
    account.create_secret(Name="going", SecretString="x")
    account.delete_secret(SecretId="going", RecoveryWindowInDays=7)
    called = []
    make = botocore.session.Session.create_client

    def create_client(self: Any, *arguments: Any, **options: Any) -> Any:
        client = make(self, *arguments, **options)
        client.meta.events.register("before-call.*.*", lambda model, **_: called.append(model.name))
        return client

    monkeypatch.setattr(botocore.session.Session, "create_client", create_client)
    database = {"database": True, "database_key": "there"}
    assert [finding.level for finding in accounts.aws(settings(secrets=["there"], **database))] == [Level.OK] * 2
    assert [finding.level for finding in accounts.aws(settings(secrets=["going"]))] == [Level.OK, Level.PROBLEM]
    previous = [*accounts.aws(settings(secrets=[{"id": "there", "stage": "AWSPREVIOUS"}]))]
    assert "no version there (AWSPREVIOUS)" in previous[-1].seen
    who, missing = accounts.aws(settings(secrets=["missing"]))
    assert "arn:aws:sts::123456789012" in who.seen
    assert (missing.level, missing.seen) == (Level.PROBLEM, "there is no secret missing (the variables of feature)")
    builds = [*accounts.aws(settings(build_secrets={"npm": "token", "pip": "there"}))]
    assert [finding.seen for finding in builds[1:]] == [
        "there is no secret token (the builds of feature)",
        "the secret there is there (the builds of feature)",
    ]
    assert set(called) == {"GetCallerIdentity", "DescribeSecret"}


def test_no_credentials_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    (found,) = accounts.aws(settings(secrets=["a"]))
    assert (found.level, "no usable credentials" in found.seen) == (Level.PROBLEM, True)


def test_what_nobody_needs_is_not_looked_at() -> None:
    assert [finding.level for finding in accounts.aws(settings())] == [Level.OK]
    assert [finding.level for finding in accounts.database(settings(), {})] == [Level.OK]


@pytest.mark.parametrize(
    ("found", "levels", "said"),
    [
        (accounts.Rights(True, True, False, 170002, []), [Level.OK], "PostgreSQL 17"),
        (accounts.Rights(True, False, False, 150000, []), [Level.PROBLEM], "lacks CREATEROLE"),
        (accounts.Rights(False, False, False, 150000, []), [Level.PROBLEM], "lacks CREATEDB and CREATEROLE"),
        (accounts.Rights(True, True, True, 150000, []), [Level.PROBLEM], "is a standby"),
        (accounts.Rights(True, True, False, 140012, []), [Level.OK, Level.WARNING], "PostgreSQL 14"),
        (accounts.Rights(True, True, False, 150000, ["postgres"]), [Level.OK, Level.WARNING], "may make databases"),
    ],
)
def test_what_the_administrators_rights_mean(found: accounts.Rights, levels: list[Level], said: str) -> None:
    findings = list(accounts.rights("admin at db:5432", found))
    assert [finding.level for finding in findings] == levels
    assert said in findings[0].seen


def test_a_database_server_that_refuses_is_a_problem() -> None:
    environ = {"PGHOST": "127.0.0.1", "PGPORT": "1", "PGUSER": "admin"}
    with pytest.raises(
        UnreachableError, match=r"refuses the administrator admin \(database postgres at 127\.0\.0\.1:1"
    ):
        list(accounts.database(settings(database=True, database_key="key"), environ))
