"""Bad input: each a sentence, no traceback, nothing half-made, and soon."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
import pytest
from mypy_boto3_secretsmanager import SecretsManagerClient
from psycopg import sql

from tests.e2e.names import own
from tests.e2e.program.checkout import Checkout, Finished, administrator
from tests.e2e.program.inventory import made

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Bad:
    """One thing a user can get wrong: how, and what must be said."""

    spoil: Callable[[Checkout], dict[str, str] | None]
    """Spoils the checkout, or returns variables that spoil the environment."""
    says: tuple[str, ...]


def replace_secret(payload: str | bytes) -> Callable[[Checkout], None]:
    def spoil(repository: Checkout) -> None:
        import boto3

        client: SecretsManagerClient = boto3.client("secretsmanager")
        name = f"e2e/{uuid.uuid4()}"
        if isinstance(payload, bytes):
            client.create_secret(Name=name, SecretBinary=payload)
        else:
            client.create_secret(Name=name, SecretString=payload)
        repository.policy(secrets=[name])

    return spoil


def edit(name: str, old: str, new: str) -> Callable[[Checkout], None]:
    return lambda repository: repository.edit(name, old, new)


def remove(name: str) -> Callable[[Checkout], None]:
    return lambda repository: (repository.path / name).unlink()


def environ(**variables: str) -> Callable[[Checkout], dict[str, str]]:
    return lambda _: variables


def builder_without_a_socket(repository: Checkout) -> dict[str, str]:
    folder = repository.path.parent / "buildx"
    (folder / "instances").mkdir(parents=True)
    node = {"Name": "deploytag0", "Endpoint": f"unix://{folder}/nobody.sock"}
    instance = {"Name": "deploytag", "Driver": "remote", "Nodes": [node]}
    (folder / "instances" / "deploytag").write_text(json.dumps(instance))
    return {"BUILDX_CONFIG": str(folder)}


def another_cluster(repository: Checkout) -> dict[str, str]:
    path = repository.path.parent / "kubeconfig"
    content = open(repository.environ["KUBECONFIG"]).read()  # noqa: PTH123, SIM115
    path.write_text(content.replace("172.30.0.1", "172.30.0.9"))
    return {"KUBECONFIG": str(path)}


def expected_cluster_that_is_silent(repository: Checkout) -> dict[str, str]:
    repository.write_policy(repository.read_policy() | {"cluster": {"server": "https://172.30.0.9:6443"}})
    return another_cluster(repository)


def registry_without_an_answer(repository: Checkout) -> None:
    repository.must("pulumi", "config", "set", "registry", "127.0.0.1:9")


CANARY = "canary-71aa"
CASES = {
    "unknown key": Bad(
        edit("deploytag.yaml", "dockerfile: Dockerfile.base", "dokerfile: x"), ("images.base.dokerfile", "allowed here")
    ),
    "no secret of that id": Bad(
        lambda it: it.policy(secrets=["staging/nothing"]), ("staging/nothing", "there is no secret")
    ),
    "secret is not JSON": Bad(replace_secret(CANARY), ("is not JSON",)),
    "secret is no object": Bad(replace_secret(f'["{CANARY}"]'), ("no object",)),
    "secret is binary": Bad(replace_secret(CANARY.encode()), ("is binary",)),
    "secret with a bad key": Bad(replace_secret(json.dumps({"NOT-A-NAME": CANARY})), ("'NOT-A-NAME'",)),
    "AWS unreachable": Bad(environ(AWS_ENDPOINT_URL="http://127.0.0.1:9"), ("AWS Secrets Manager", "AWS_ENDPOINT_URL")),
    "Postgres unreachable": Bad(environ(PGHOST="127.0.0.1", PGPORT="9"), ("PostgreSQL", "PGHOST")),
    "Postgres refuses": Bad(environ(PGPASSWORD="wrong"), ("PostgreSQL refuses", "PGPASSWORD")),
    "registry unreachable": Bad(registry_without_an_answer, ("registry", "127.0.0.1:9")),
    "BuildKit unreachable": Bad(builder_without_a_socket, ("BuildKit", "nobody.sock")),
    "no such builder": Bad(environ(BUILDX_CONFIG="/nonexistent"), ("no builder deploytag",)),
    "cluster unreachable": Bad(expected_cluster_that_is_silent, ("Kubernetes API server", "kubeconfig")),
    "another cluster": Bad(another_cluster, ("172.30.0.9", "expects https://172.30.0.1:6443")),
    "no kubeconfig": Bad(environ(KUBECONFIG="/nonexistent"), ("no usable kubeconfig",)),
    "Dockerfile missing": Bad(remove("Dockerfile"), ("Dockerfile",)),
    "chart missing": Bad(edit("deploytag.yaml", "charts/app", "charts/nothing"), ("charts/nothing", "no Chart.yaml")),
    "chart does not render": Bad(
        edit("charts/app/templates/web.yaml", "kind:", "{{ .Nothing.here }}\nkind:"), ("does not render",)
    ),
    "chart dependency missing": Bad(
        edit("charts/app/Chart.yaml", "file://../redis", "https://charts.example.com"),
        ("redis", "helm dependency build"),
    ),
    "wrong passphrase": Bad(environ(PULUMI_CONFIG_PASSPHRASE="wrong"), ("passphrase",)),
}


@pytest.mark.sampled(6)
@pytest.mark.parametrize("bad", CASES.values(), ids=CASES.keys())
def test_bad_input_is_a_sentence_and_nothing_is_made(repository: Checkout, bad: Bad) -> None:
    identity = repository.stack(own("feature/bad"))
    if bad.says == ("passphrase",):
        repository.must("pulumi", "config", "set", "--secret", "unused", "x", "--stack", identity.stack)
    spoiled = bad.spoil(repository)
    done = repository.run(
        "pulumi",
        "up",
        "--yes",
        "--skip-preview",
        "--stack",
        identity.stack,
        environ=spoiled if isinstance(spoiled, dict) else None,
        timeout=60,  # an unreachable service is to be named within ten seconds, not to be waited for
    )
    refused(done, *bad.says)
    assert CANARY not in done.output
    assert made(identity) == []


def refused(done: Finished, *says: str) -> None:
    assert not done.ok, done.output
    for words in says:
        assert words in done.output, done.output
    assert "Traceback" not in done.output, done.output
    assert "unhandled exception" not in done.output, done.output


def test_a_branch_of_no_class_is_told_which_deploy(repository: Checkout) -> None:
    identity = repository.stack("docs/readme")
    refused(repository.up(identity), "docs/readme belongs to no class", "feature/*, bug/*, epic/*")


def test_the_stack_of_another_branch_is_refused_by_both_names(repository: Checkout) -> None:
    identity = repository.stack(own("feature/one"))
    repository.must("pulumi", "config", "set", "branch", "feature/two", "--stack", identity.stack)
    refused(repository.up(identity), "feature-one", "feature/two", "feature-two")


def test_a_detached_head_is_a_sentence(repository: Checkout) -> None:
    identity = repository.stack(own("feature/detached"))
    repository.must("pulumi", "config", "rm", "branch", "--stack", identity.stack)
    repository.must("git", "checkout", "--quiet", "--detach")
    refused(repository.up(identity), "HEAD is detached", "DEPLOYTAG_BRANCH")


def test_no_repository_is_a_sentence(repository: Checkout) -> None:
    identity = repository.stack(own("feature/nowhere"))
    (repository.path / ".git").rename(repository.path.parent / "moved.git")
    try:
        refused(repository.up(identity), "is not in a git repository")
    finally:
        (repository.path.parent / "moved.git").rename(repository.path / ".git")


def test_a_failing_build_shows_its_last_lines_and_makes_nothing(repository: Checkout) -> None:
    identity = repository.stack(own("feature/broken-build"))
    # Far more than the docker-build plugin has passed on by the time that it says that the build failed.
    chatter = "answer=no; seq --format 'compiling the %.0fth file' 3000"
    with (repository.path / "Dockerfile").open("a") as dockerfile:
        dockerfile.write(f"\nRUN {chatter}; echo the compiler says $answer >&2; exit 3\n")
    done = repository.up(identity)
    refused(done, "the compiler says no", "exit code: 3")
    assert made(identity) == []


def test_a_namespace_of_somebody_else_is_left_alone(repository: Checkout) -> None:
    identity = repository.stack(own("feature/taken-namespace"))
    repository.must("kubectl", "create", "namespace", identity.namespace, environ=administrator())
    try:
        refused(repository.up(identity), f"namespace {identity.namespace} exists", "left alone")
        assert "Active" in repository.must("kubectl", "get", "namespace", identity.namespace)
    finally:
        repository.must("kubectl", "delete", "namespace", identity.namespace, environ=administrator())


def test_a_database_of_somebody_else_is_left_alone(repository: Checkout) -> None:
    identity = repository.stack(own("feature/taken-database"))
    with psycopg.connect(autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(identity.database)))
        try:
            refused(repository.up(identity), f"database {identity.database} exists", "left alone")
            kept = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [identity.database]).fetchone()
            assert kept == (1,)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(identity.database)))
