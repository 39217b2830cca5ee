"""What a process learns from the Secrets of one environment, before it shows what the environment's programs print."""

import base64
import json
from typing import Any

import pytest

from deploytag import redaction
from deploytag.delivery.diagnosis.environment_secrets import learn_from, redactor_of
from deploytag.redaction import REDACTED, Redactor
from tests.unit.delivery.api_server import api_server
from tests.unit.delivery.without_secrets import IDENTITY


@pytest.fixture(autouse=True)
def process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Knowledge of its own for a test."""
    monkeypatch.setattr(redaction, "PROCESS", Redactor())


def secret(kind: str, **data: str) -> dict[str, Any]:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"metadata": {"name": "x"}, "type": kind, "data": encoded}


LOGIN = json.dumps({"auths": {"registry.test": {"username": "puller", "password": "registry-hunter2"}}})


@pytest.mark.parametrize(
    ("kind", "data", "value"),
    [
        ("Opaque", {"KEY": "opaque-hunter2"}, "opaque-hunter2"),
        ("kubernetes.io/basic-auth", {"username": "shop", "password": "basic-hunter2"}, "basic-hunter2"),
        ("kubernetes.io/ssh-auth", {"ssh-privatekey": "-----BEGIN-----\nc3NoLWh1\n-----END-----"}, "c3NoLWh1"),
        ("kubernetes.io/tls", {"tls.crt": "public", "tls.key": "-----BEGIN-----\ndGxzLWh1\n-----END-----"}, "dGxzLWh1"),
        ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": LOGIN}, "registry-hunter2"),
        ("kubernetes.io/service-account-token", {"token": "token-hunter2"}, "token-hunter2"),
        ("shop.test/of-its-own", {"key": "other-hunter2"}, "other-hunter2"),
    ],
)
def test_a_secret_of_any_type_is_learned(kind: str, data: dict[str, str], value: str) -> None:
    with api_server() as server:
        server.items = [secret(kind, **data)]
        assert redactor_of(server.cluster, IDENTITY)(f"it is {value}") == f"it is {REDACTED}"
        asked = server.asked.get_nowait()
    assert asked["fieldSelector"] == "type!=helm.sh/release.v1", "only Helm's own, which hold the chart, are left out"


def test_names_of_the_environment_are_shown_though_a_secret_holds_them() -> None:
    with api_server() as server:
        server.items = [secret("kubernetes.io/service-account-token", namespace=IDENTITY.namespace)]
        assert learn_from(server.cluster, IDENTITY)
    assert redaction.redact(f"in {IDENTITY.namespace}") == f"in {IDENTITY.namespace}"


def test_no_line_is_shown_where_the_secrets_cannot_be_read() -> None:
    with api_server() as server:
        server.status = 403
        assert "hunter2" not in redactor_of(server.cluster, IDENTITY)("it is hunter2")
