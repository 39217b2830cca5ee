"""The wrapper's own look at Secrets Manager, on a client that is made up."""

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from deploytag import redaction
from deploytag.delivery.secret_versions import SecretsManager, Versions, check
from deploytag.errors import SecretError, UnreachableError
from deploytag.identity import identify
from deploytag.passwords import database_password
from deploytag.redaction import REDACTED, Redactor
from deploytag.settings import ApplicationSettings, EnvironmentClass

IDENTITY = identify("shop", "feature/test")
SETTINGS = ApplicationSettings()


class Account:
    """Secrets by id: versions by id, each with its stages and its value."""

    def __init__(self, **secrets: Mapping[str, tuple[list[str], str | bytes]]) -> None:
        self.secrets = dict(secrets)
        self.calls: list[str] = []
        self.error: Exception | None = None

    def client(self) -> SecretsManager:
        return self

    def describe_secret(self, *, SecretId: str) -> Mapping[str, Any]:
        return {"VersionIdsToStages": {id_: stages for id_, (stages, _) in self._secret(SecretId).items()}}

    def get_secret_value(self, *, SecretId: str, **version: str) -> Mapping[str, Any]:
        for id_, (stages, value) in self._secret(SecretId).items():
            if id_ == version.get("VersionId") or version.get("VersionStage") in stages:
                return {"VersionId": id_, "SecretString" if isinstance(value, str) else "SecretBinary": value}
        raise missing()

    def _secret(self, secret_id: str) -> Mapping[str, tuple[list[str], str | bytes]]:
        self.calls.append(secret_id)
        if self.error:
            raise self.error
        if secret_id not in self.secrets:
            raise missing()
        return self.secrets[secret_id]


def missing() -> ClientError:
    return ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no"}}, "GetSecretValue")


def cls(*secrets: object, key: str | None = None, build: Mapping[str, str] | None = None) -> EnvironmentClass:
    content = {"pattern": "feature/*", "secrets": secrets, "database": key is not None, "database_key": key}
    return EnvironmentClass.model_validate({**content, "migrations": False, "build_secrets": build or {}})


@pytest.fixture
def account() -> Account:
    return Account(
        app={"v1": (["AWSPREVIOUS"], '{"A": "old-value"}'), "v2": (["AWSCURRENT"], '{"A": "new-value"}')},
        key={"k1": (["AWSCURRENT"], "the-key")},
        blob={"b1": (["AWSCURRENT"], b"\0\1")},
    )


@pytest.fixture(autouse=True)
def process(monkeypatch: pytest.MonkeyPatch) -> Redactor:
    fresh = Redactor()
    monkeypatch.setattr(redaction, "PROCESS", fresh)
    return fresh


def test_versions_are_told_by_stage_and_each_secret_is_asked_for_once(account: Account) -> None:
    versions = Versions(account.client)
    pinned = {"id": "app", "version": "v1"}
    previous = {"id": "app", "stage": "AWSPREVIOUS"}
    expected = {"app": "v2", "app (AWSPREVIOUS)": "v1", "app (version v1)": "v1", "key": "k1"}
    assert versions.of(cls("app", previous, pinned, key="key")) == expected
    assert versions.of(cls("app")) == {"app": "v2"}
    assert account.calls == ["app", "key"]


def test_what_is_checked_is_known_and_never_shown(account: Account, process: Redactor) -> None:
    assert check(account.client, IDENTITY, SETTINGS, cls("app", key="key")) == {"app": "v2", "key": "k1"}
    password = database_password("the-key", IDENTITY.role)
    assert process(f"new-value the-key {password}") == " ".join([REDACTED] * 3)


def test_what_builds_may_mount_is_known_before_a_builder_can_print_it(account: Account, process: Redactor) -> None:
    account.secrets["npm"] = {"n1": (["AWSCURRENT"], "npm-token\nsecond-line")}
    mounting = cls("app", build={"npm": "npm"})
    assert check(account.client, IDENTITY, SETTINGS, mounting) == {"app": "v2"}, "it decides no environment"
    assert process("#7 0.2 + echo npm-token, second-line") == f"#7 0.2 + echo {REDACTED}, {REDACTED}"
    assert Versions(account.client).of(mounting) == {"app": "v2"}, "its rotation moves nothing"
    only = cls(build={"npm": "npm"})
    assert check(account.client, IDENTITY, SETTINGS, only) == {}


def test_what_builds_cannot_mount_is_said_before_anything_is_built(account: Account) -> None:
    account.secrets["empty"] = {"e1": (["AWSCURRENT"], "")}
    for id_, complaint in (("nothing", "no secret nothing"), ("blob", "blob is binary"), ("empty", "empty is empty")):
        with pytest.raises(SecretError, match=complaint):
            check(account.client, IDENTITY, SETTINGS, cls("app", build={"token": id_}))


def test_what_the_program_would_refuse_is_refused_here_already(account: Account) -> None:
    required = ApplicationSettings.model_validate({"variables": {"required": ["A", "B"]}})
    with pytest.raises(SecretError, match="needs B"):
        check(account.client, IDENTITY, required, cls("app"))
    with pytest.raises(SecretError, match="blob is binary"):
        check(account.client, IDENTITY, SETTINGS, cls("blob"))
    with pytest.raises(SecretError, match="blob is binary"):
        check(account.client, IDENTITY, SETTINGS, cls(key="blob"))
    with pytest.raises(SecretError, match=r"no secret app \(ROTATING\)"):
        check(account.client, IDENTITY, SETTINGS, cls({"id": "app", "stage": "ROTATING"}))
    with pytest.raises(SecretError, match="no secret nothing"):
        Versions(account.client).of(cls("nothing"))
    with pytest.raises(SecretError, match=r"no secret app \(ROTATING\)"):
        Versions(account.client).of(cls({"id": "app", "stage": "ROTATING"}))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (EndpointConnectionError(endpoint_url="http://aws.test"), UnreachableError),
        (ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetSecretValue"), SecretError),
        (ClientError({"Error": {"Code": "InternalServiceError", "Message": "no"}}, "GetSecretValue"), UnreachableError),
    ],
)
def test_a_service_that_does_not_answer_is_a_sentence(
    account: Account, error: Exception, kind: type[Exception]
) -> None:
    account.error = error
    with pytest.raises(kind, match=r"reading the secret app failed: .*Nothing was touched"):
        check(account.client, IDENTITY, SETTINGS, cls("app"))


def test_a_class_without_secrets_asks_nobody_and_needs_no_aws_library() -> None:
    program = (
        "import sys\n"
        "from deploytag.delivery import deploy, sync\n"
        "from deploytag.delivery.secret_versions import Versions, check\n"
        "from tests.unit.delivery.without_secrets import IDENTITY, SETTINGS, CLASS, never\n"
        "assert check(never, IDENTITY, SETTINGS, CLASS) == {} == Versions(never).of(CLASS)\n"
        "assert 'boto3' not in sys.modules and 'botocore' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
