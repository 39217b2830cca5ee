"""No secret value anywhere it should not be: a canary is searched for in everything a deployment leaves behind."""

import json
import subprocess
import uuid
from pathlib import Path

import pytest
from mypy_boto3_secretsmanager import SecretsManagerClient

from deploytag.passwords import database_password
from tests.e2e.names import own
from tests.e2e.program.checkout import Checkout, administrator
from tests.files import below

pytestmark = pytest.mark.e2e


def test_no_secret_value_is_left_anywhere(repository: Checkout, secrets_manager: SecretsManagerClient) -> None:
    canary, key = f"canary-{uuid.uuid4()}", f"canary-key-{uuid.uuid4()}"
    secret_id, key_id = f"e2e/{uuid.uuid4()}", f"e2e/{uuid.uuid4()}"
    secrets_manager.create_secret(Name=secret_id, SecretString=json.dumps({"API_TOKEN": canary}))
    secrets_manager.create_secret(Name=key_id, SecretString=key)
    repository.policy(secrets=[secret_id], database_key=key_id)
    identity = repository.stack(own("feature/leaks"))
    hidden = (canary, key, database_password(key, identity.role), repository.environ["PGPASSWORD"])

    printed = [
        # Its preview included.
        repository.run("pulumi", "up", "--yes", "--diff", "--stack", identity.stack),
        repository.run("pulumi", "up", "--yes", "--skip-preview", "--json", "--stack", identity.stack),
        repository.run("pulumi", "refresh", "--yes", "--stack", identity.stack),
        repository.run("pulumi", "stack", "--show-urns", "--show-ids", "--stack", identity.stack),
        repository.run("pulumi", "stack", "export", "--stack", identity.stack),
        repository.run("pulumi", "stack", "history", "--stack", identity.stack),
        repository.run("helm", "get", "all", identity.release, "--namespace", identity.namespace),
        repository.run(
            "kubectl", "get", everything_but_secrets(), "-o", "yaml", "-n", identity.namespace, environ=administrator()
        ),
        repository.run(
            "kubectl", "describe", everything_but_secrets(), "-n", identity.namespace, environ=administrator()
        ),
        repository.run(
            "kubectl", "logs", "-n", identity.namespace, "--all-containers", f"deployment/{identity.release}-web"
        ),
    ]
    failed = [done for done in printed if not done.ok]
    assert failed == []
    leaks = [(number, value) for number, done in enumerate(printed) for value in hidden if value in done.output]
    assert leaks == []

    backend = Path(repository.environ["PULUMI_BACKEND_URL"].removeprefix("file://"))
    files = [path for path in below(backend) if identity.stack in str(path.relative_to(backend)) and path.is_file()]
    assert files
    files += [path for path in repository.path.rglob("*") if path.is_file() and ".venv" not in path.parts]
    assert [path for path in files for value in hidden if value in path.read_text(errors="replace")] == []

    # The search finds what is there: the Kubernetes Secret does hold the canary.
    template = "-o=go-template={{range .items}}{{range $key, $value := .data}}{{$value | base64decode}} {{end}}{{end}}"
    arguments = ["--field-selector", "type=Opaque", "-n", identity.namespace, template]
    assert canary in repository.must("kubectl", "get", "secrets", *arguments)


def everything_but_secrets() -> str:
    """Every namespaced kind the cluster can list, without `secrets`."""
    kinds = subprocess.run(
        ["kubectl", "api-resources", "--namespaced", "--verbs", "list", "-o", "name"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return ",".join(kind for kind in kinds if kind != "secrets")
