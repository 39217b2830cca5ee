import json
from pathlib import Path
from typing import Any

import pytest
from moto.backends import get_backend
from werkzeug.test import Client

from sandbox.aws_server import KeptApplication, changes, service
from sandbox.snapshots import Snapshots

CREDENTIALS = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"


@pytest.fixture(autouse=True)
def _forgetful() -> None:
    forget()


def forget() -> None:
    """What a restart does to moto."""
    for name in ("secretsmanager", "s3"):
        backends: Any = get_backend(name)
        backends.clear()


def restarted(folder: Path) -> Client:
    forget()
    application: Any = KeptApplication(Snapshots(folder))
    return Client(application)


def ask(client: Client, action: str, **body: Any) -> Any:
    headers = {
        "X-Amz-Target": f"secretsmanager.{action}",
        "Authorization": CREDENTIALS.format("secretsmanager"),
        "Content-Type": "application/x-amz-json-1.1",
    }
    answer = client.post("/", headers=headers, data=json.dumps(body))
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text)


def test_secrets_come_back_with_their_versions_and_names(tmp_path: Path) -> None:
    before = restarted(tmp_path)
    created = ask(before, "CreateSecret", Name="staging/app", SecretString="one", ClientRequestToken="1" * 36)
    ask(before, "PutSecretValue", SecretId="staging/app", SecretString="two", ClientRequestToken="2" * 36)
    after = ask(restarted(tmp_path), "GetSecretValue", SecretId="staging/app")
    assert (after["ARN"], after["VersionId"], after["SecretString"]) == (created["ARN"], "2" * 36, "two")


def test_objects_come_back(tmp_path: Path) -> None:
    headers = {"Authorization": CREDENTIALS.format("s3")}
    before = restarted(tmp_path)
    assert before.put("/bucket-of-state", headers=headers).status_code == 200
    assert before.put("/bucket-of-state/stack.json", headers=headers, data=b"{}").status_code == 200
    assert restarted(tmp_path).get("/bucket-of-state/stack.json", headers=headers).data == b"{}"


def test_nothing_is_written_for_a_question(tmp_path: Path) -> None:
    ask(restarted(tmp_path), "ListSecrets")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("POST", "secretsmanager.GetSecretValue", False),
        ("POST", "secretsmanager.ListSecrets", False),
        ("POST", "secretsmanager.PutSecretValue", True),
        ("POST", "secretsmanager.DeleteSecret", True),
        ("GET", "", False),
        ("HEAD", "", False),
        ("PUT", "", True),
        ("DELETE", "", True),
    ],
)
def test_changes_are_told_from_questions(method: str, target: str, expected: bool) -> None:
    assert changes(method, target) is expected


def test_the_service_is_in_the_signature() -> None:
    assert service(CREDENTIALS.format("s3")) == "s3"
    assert service("") == ""
    assert service("Basic abc") == ""
