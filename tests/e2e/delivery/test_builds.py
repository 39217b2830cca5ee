"""What a build is given: what it prints of its secret is shown nowhere, and it finds no credential of the run."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from mypy_boto3_secretsmanager import SecretsManagerClient

from deploytag.encodings import in_base64, in_hexadecimal
from deploytag.redaction import REDACTED
from tests.e2e.delivery.pushing import Pushing, pushing
from tests.e2e.delivery.searching import Needles, in_image
from tests.e2e.delivery.test_canary import mark, odd
from tests.e2e.names import own
from tests.e2e.program.inventory import kubectl

pytestmark = pytest.mark.e2e

PRINTS = (
    'set -x; token="$(cat /run/secrets/token)"; echo "$token"; cat /run/secrets/token >&2; '
    "base64 /run/secrets/token; base64 --wrap 0 /run/secrets/token; base64 /run/secrets/token | tr -d = ; "
    "python3 -c 'import json; it = open(\"/run/secrets/token\").read(); print(json.dumps(it), it.encode().hex())'; "
    "exit 3"
)
"""A shell's trace, the text, its encodings."""

COLLECTS = (
    "mkdir /seen; env > /seen/environment; cat /proc/*/environ /proc/*/cmdline > /seen/processes; "
    "cp /proc/self/mountinfo /seen/mounts; "
    "for place in /run /tmp /root /home /var/run /dev/shm /kaniko /workspace; do "
    "if [ -e $place ]; then tar --create --ignore-failed-read --file /seen/$(echo $place | tr / _).tar $place; fi; "
    "done; "
    "find / -xdev -type f -newer /etc/hostname -not -path '/seen/*' -not -path '/proc/*' -size -1M "
    "-exec cat {} + > /seen/files || true"
)
"""Everything in which a build may find something that it was not given, kept in the image."""


@pytest.fixture
def it(tmp_path: Path) -> Iterator[Pushing]:
    with pushing(tmp_path) as made:
        yield made


def run_in_build(it: Pushing, command: str) -> None:
    """Let the application's image run it, in no cache."""
    with (it.path / "Dockerfile").open("a") as dockerfile:
        dockerfile.write(f"\nUSER root\nRUN {command} # {uuid.uuid4()}\nUSER 10001\n")


def test_what_a_build_prints_of_its_secret_is_shown_nowhere(
    it: Pushing, secrets_manager: SecretsManagerClient, tmp_path: Path
) -> None:
    secret, value = f"e2e/{uuid.uuid4()}", mark()
    secrets_manager.create_secret(Name=secret, SecretString=odd(value))
    needles = Needles({"build secret": value})
    it.small(build_secrets={"token": secret})
    run_in_build(it, f"--mount=type=secret,id=token,required=true {PRINTS}")
    ref, files = own("feature/printing-build"), [tmp_path / name for name in ("summary", "outputs")]
    it.push(ref)
    told = {"DEPLOYTAG_BRANCH": ref, "GITHUB_STEP_SUMMARY": str(files[0]), "GITHUB_OUTPUT": str(files[1])}
    done = it.deploytag("ci", "--verbose", environ=told)
    assert done.code == 11, done.output
    said = {
        "ci": done.output,
        "summary": "".join(path.read_text() for path in files),
        "logs": it.deploytag("logs", "--build").output,
        "logs as JSON": it.deploytag("logs", "--build", "--json").output,
        "why": it.deploytag("why").output,
        "records": kubectl("get", "configmaps", "-n", "deploytag-system", "-o", "yaml"),
    }
    assert {name: needles.found(text) for name, text in said.items() if needles.found(text)} == {}
    raw = odd(value).encode()
    pieces = {form[at : at + 16] for form in (*in_base64(raw), *in_hexadecimal(raw)) for at in range(len(form) - 15)}
    assert [(name, piece) for name, text in said.items() for piece in pieces if piece in text] == []
    # It was printed, and kept.
    for name in ("ci", "logs", "logs as JSON"):
        assert said[name].count(REDACTED) > 3, said[name]


def test_the_last_that_a_failed_build_printed_is_shown_and_kept_however_much_it_was(it: Pushing) -> None:
    it.small()
    # By one stream: two are read apart, and which of them is read first nobody says.
    run_in_build(it, 'what=line; seq --format "compiling, $what %.0f" 3000; echo no such $what as 3001; exit 3')
    ref = own("feature/printing-much")
    it.push(ref)
    done = it.deploytag("deploy")
    assert done.code == 11, done.output
    logs = it.deploytag("logs", ref, "--build", "--tail", "200").output
    for text in (done.output, logs):
        assert "no such line as 3001" in text, text
    said = [f"compiling, line {number}" for number in range(2950, 3001)]
    assert [line for line in said if line not in logs] == []


def test_a_secret_that_a_build_is_to_mount_and_that_is_not_there_is_said_before_anything_is_built(it: Pushing) -> None:
    it.small(build_secrets={"token": f"e2e/{uuid.uuid4()}"})
    it.push(own("feature/mounts-nothing"))
    done = it.deploytag("deploy")
    assert done.code == 7, done.output
    assert "there is no secret e2e/" in done.output
    assert "made" not in done.output


def test_a_build_sees_no_credential_of_the_run(it: Pushing, tmp_path: Path) -> None:
    environ = it.checkout.environ
    marks = {name: mark() for name in ("AWS", "registry", "cluster", "planted")}
    # Credentials of which nobody asks more than that they are there; the others are the sandbox's own.
    environ |= {"AWS_SECRET_ACCESS_KEY": marks["AWS"], "AWS_SESSION_TOKEN": marks["AWS"]}
    docker = tmp_path / "docker"
    docker.mkdir()
    registry = {"auth": "", "username": "pusher", "password": marks["registry"]}
    (docker / "config.json").write_text(json.dumps({"auths": {"172.30.0.1:5000": registry}}))
    environ["DOCKER_CONFIG"] = str(docker)
    kubeconfig = yaml.safe_load(Path(environ["KUBECONFIG"]).read_text())
    key = next(
        value for user in kubeconfig["users"] for name, value in user["user"].items() if name.endswith("key-data")
    )
    kubeconfig["users"].append({"name": "canary", "user": {"token": marks["cluster"]}})
    environ["KUBECONFIG"] = str(tmp_path / "kubeconfig")
    Path(environ["KUBECONFIG"]).write_text(yaml.safe_dump(kubeconfig))
    needles = Needles(marks | {"key of the cluster": key[200:260], "administrator": environ["PGPASSWORD"]})
    it.small()
    run_in_build(it, f"echo {marks['planted']} > /tmp/planted; {COLLECTS}")
    ref = own("feature/curious-build")
    it.push(ref)
    done = it.deploytag("deploy")
    assert done.ok, done.output
    outputs = json.loads(it.checkout.must("pulumi", "stack", "output", "--json", "--stack", it.identity(ref).stack))
    hits = in_image(needles, outputs["app_image"])
    assert {name for _, name in hits} == {"planted"}, hits
    assert any("_tmp.tar" in where for where, _ in hits), "the search reaches what the build collected"
