"""What a refusal, a silence and a conflict of the API server become."""

import json

import pytest
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException
from urllib3.exceptions import NewConnectionError, ProtocolError

from deploytag.api import Api
from deploytag.delivery.asking import ConflictError, NoAnswerError, RefusedError, asking
from deploytag.delivery.cluster import Cluster
from deploytag.errors import OwnershipError, UnreachableError

CLUSTER = Cluster(Api(ApiClient(Configuration(host="https://cluster.test:6443"))))


def refused(status: int, message: str = "") -> ApiException:
    return ApiException(status, "its reason", body=json.dumps({"message": message}) if message else "<html>")


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (refused(401), UnreachableError, "does not know the kubeconfig's user (401). Renew its credentials."),
        (refused(403, "User x cannot"), RefusedError, "may not get leases in the namespace deploytag-system"),
        (refused(403, "User x cannot"), RefusedError, "User x cannot"),
        (refused(404), OwnershipError, "`kubectl create namespace deploytag-system`"),
        (refused(409, "was modified"), ConflictError, "was modified"),
        (refused(422, "is invalid"), UnreachableError, "answered 422: is invalid"),
        (refused(429), NoAnswerError, "answered 429: its reason"),
        (refused(500), NoAnswerError, "answered 500: its reason"),
        (ApiException(0, "SSLError: no such CA"), NoAnswerError, "answered 0: SSLError: no such CA"),
        (ApiException(500, "x", body="[]"), NoAnswerError, "answered 500: x"),
        (NewConnectionError(None, "refused"), NoAnswerError, "at https://cluster.test:6443 did not answer"),  # type: ignore[arg-type]
        (ProtocolError("cut off"), NoAnswerError, "did not answer (cut off)"),
        (ConnectionResetError("reset"), NoAnswerError, "did not answer (reset)"),
        (json.JSONDecodeError("no JSON", "<html>", 0), NoAnswerError, "did not answer (no JSON"),
        (ConfigException("exec: aws ended with 255"), NoAnswerError, "did not answer (exec: aws ended with 255)"),
    ],
)
def test_what_an_answer_means(error: Exception, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind) as raised, asking(CLUSTER, "reading the lease of feature/test", "get leases"):
        raise error
    assert type(raised.value) is kind
    assert said in str(raised.value)
    if kind is not ConflictError:
        assert str(raised.value).startswith("reading the lease of feature/test failed: ")


def test_a_defect_is_no_answer_of_the_cluster() -> None:
    with pytest.raises(TypeError), asking(CLUSTER, "reading", "get leases"):
        raise TypeError
