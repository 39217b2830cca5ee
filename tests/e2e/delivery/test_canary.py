"""No secret value anywhere but in Secrets Manager and in the environment's own Secret.

Unique strings are the values, old and new, with everything in them that some writer escapes. They are mounted into
builds, deployed, rotated, failed in five ways (of which `make test` tries one) and destroyed, all with debug logs, and
then looked for in whatever that left behind.
"""

import hashlib
import json
import os
import random
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from mypy_boto3_secretsmanager import SecretsManagerClient

from deploytag.delivery.cluster import Cluster
from deploytag.passwords import database_password
from deploytag.redaction import REDACTED
from tests.e2e.delivery.images import is_stored
from tests.e2e.delivery.pushing import Pushing, pushing
from tests.e2e.delivery.searching import (
    Needles,
    caches_of,
    in_files,
    in_image,
    in_releases,
    in_what_goes,
    watching_folder,
    watching_processes,
)
from tests.e2e.names import own
from tests.e2e.program.inventory import kubectl, made
from tests.e2e.program.test_leaks import everything_but_secrets
from tests.e2e.typed import core

pytestmark = pytest.mark.e2e

DEBUG = {"DEPLOYTAG_DEBUG": "1", "TF_LOG": "TRACE"}
"""Everything that makes somebody talkative, by the wrapper's own means and by what it must not pass on."""


def mark() -> str:
    return f"canary{uuid.uuid4().hex}"


def odd(text: str) -> str:
    """A value around `text` with what shells, JSON, YAML and URLs escape, and a second line."""
    return f"{text} \"double\" 'single' $HOME `id` \\ {{{{ .Values }}}} ü€ &<>#%\nsecond{text}"


@pytest.fixture
def it(tmp_path: Path) -> Iterator[Pushing]:
    with pushing(tmp_path) as made:
        yield made


class Canaries:
    """Secrets of this test alone, and their values."""

    def __init__(self, client: SecretsManagerClient) -> None:
        self.client = client
        self.common, self.app, self.key, self.build = (f"e2e/{uuid.uuid4()}" for _ in range(4))
        names = ("common", "common nested", "app", "app nested", "key")
        self.marks = {f"{age}{name}": mark() for age in ("", "new ") for name in names}
        self.marks["build"] = mark()
        client.create_secret(Name=self.build, SecretString=odd(self.marks["build"]))
        client.create_secret(Name=self.common, SecretString=json.dumps(self._values("common")))
        client.create_secret(Name=self.app, SecretString=json.dumps(self._values("app")))
        client.create_secret(Name=self.key, SecretString=self._key("key"))

    def rotate(self) -> None:
        """New versions of all of them."""
        self.client.put_secret_value(SecretId=self.common, SecretString=json.dumps(self._values("new common")))
        self.client.put_secret_value(SecretId=self.app, SecretString=json.dumps(self._values("new app")))
        self.client.put_secret_value(SecretId=self.key, SecretString=self._key("new key"))

    def needles(self, role: str) -> Needles:
        """What must not be found."""
        keys = {name: mark for name, mark in self.marks.items() if name.endswith("key")}
        passwords = {f"password of {name}": database_password(odd(mark), role) for name, mark in keys.items()}
        return Needles(self.marks | passwords)

    def _values(self, name: str) -> dict[str, object]:
        plain, nested = self.marks[name], self.marks[f"{name} nested"]
        variable = name.rpartition(" ")[2].upper()
        return {f"{variable}_ODD": odd(plain), f"{variable}_NESTED": {"list": [odd(nested)]}, "PORT": 8080}

    def _key(self, name: str) -> str:
        return odd(self.marks[name])


def test_no_value_is_anywhere_but_in_its_two_places(
    it: Pushing, cluster: Cluster, secrets_manager: SecretsManagerClient, tmp_path: Path, every: bool
) -> None:
    began = time.time()
    canaries = Canaries(secrets_manager)
    it.small(
        secrets=[canaries.common, {"id": canaries.app}],
        database_key=canaries.key,
        build_secrets={"token": canaries.build},
    )
    for name, user in (("Dockerfile.base", "root"), ("Dockerfile", "10001")):
        mount_secret(it.path / name, odd(canaries.marks["build"]), user)
    it.checkout.environ |= DEBUG | {"PULUMI_DEBUG_GRPC": str(tmp_path / "grpc.json")}
    ref = own("feature/canary")
    identity = it.identity(ref)
    needles = canaries.needles(identity.role)
    said: list[str] = []
    sandbox, environ = Path(os.environ["DEPLOYTAG_SANDBOX"]), it.checkout.environ
    backend = Path(environ["PULUMI_BACKEND_URL"].removeprefix("file://"))

    def run(*arguments: str, code: int = 0) -> str:
        done = it.deploytag(*arguments)
        said.append(done.output)
        assert done.code == code, done.output
        return done.output

    def shown() -> None:
        """What somebody may look at while the environment is there."""
        look = it.checkout
        commands = (
            ("pulumi", "stack", "export", "--stack", identity.stack),
            ("kubectl", "get", everything_but_secrets(), "-o", "yaml", "-n", identity.namespace),
            ("kubectl", "get", "configmaps,leases", "-o", "yaml", "-n", "deploytag-system"),
        )
        quiet = {"PULUMI_DEBUG_GRPC": "", "TF_LOG": ""}
        said.extend(look.run(*command, environ=quiet).output for command in commands)
        releases, hits = in_releases(needles, cluster, identity.namespace)
        assert (releases > 0, hits) == (True, set())
        # Also what `destroy` takes away, and a rollout: it would not be there to be searched any more.
        assert in_what_goes(needles, backend, sandbox / "pod-logs", identity, began) == (
            {"checkpoint", "history", "backups", "pod logs"},
            set(),
        )

    # Of these runs alone. Short: sockets have their paths in it.
    temporary = Path(tempfile.mkdtemp(prefix="canary-"))
    it.checkout.environ["TMPDIR"] = str(temporary)
    with watching_processes(needles) as processes, watching_folder(needles, temporary) as watched:
        it.push(ref)
        assert "is served at" in run("deploy", "--verbose")
        images = _images(it, identity.stack)
        shown()
        canaries.rotate()
        assert "has the newest version" in run("sync", "--verbose")
        shown()
        failures = (
            (failing_migration, 11),
            (crash_loop, 11),
            (build_failure, 11),
            (missing_key, 7),
            (broken_chart, 11),
        )
        for spoil, code in failures if every else random.sample(failures, 1):
            spoil(it)
            it.push(ref)
            run("deploy", "--verbose", code=code)
            it.git("reset", "--quiet", "--hard", "HEAD~1")
        run("why")
        run("logs")
        shown()
        kept = core(cluster).list_namespaced_secret(identity.namespace, field_selector="type=Opaque").items
        assert {"new common", "new app", "password of new key"} <= needles.found(json.dumps([s.data for s in kept]))
        it.git("push", "--quiet", str(it.remote), f":refs/heads/{ref}")
        run("destroy", ref, "--verbose")
    assert made(identity) == []

    assert "pulumi" in processes.seen, "the runs' processes were watched"
    assert processes.hits == set()
    assert any(name.startswith("deploytag-") for name in watched.seen), "the runs' folders were watched"
    assert (watched.hits, watched.open) == (set(), set())
    assert [needles.found(text) for text in said if needles.found(text)] == []
    places = [
        backend,
        Path(environ["PULUMI_HOME"], "logs"),
        *(sandbox / name for name in ("logs", "pod-logs", "tmp", "checkouts", "repository.git", "buildkit", "docker")),
        tmp_path,
        temporary,
        *Path("/tmp").glob("pulumi*"),
        *Path("/tmp").glob("deploytag-*"),
    ]
    assert in_files(needles, places, began) == set()
    # A cache is not there where it could not be pushed, which fails no build.
    caches = [cache for image in images for cache in caches_of(image) if is_stored(cache)]
    assert caches
    kept = [*images, *caches]
    assert [hit for image in kept for hit in in_image(needles, image)] == []
    assert not (tmp_path / "grpc.json").exists()

    # The search finds what is there.
    (tmp_path / "planted").write_text(json.dumps({"x": odd(canaries.marks["app"])}))
    assert in_files(needles, [tmp_path / "planted"], began) == {(str(tmp_path / "planted"), "app")}
    shutil.rmtree(temporary)


def test_what_an_application_prints_of_its_secrets_is_redacted(
    it: Pushing, secrets_manager: SecretsManagerClient
) -> None:
    canaries = Canaries(secrets_manager)
    it.small(secrets=[canaries.common, canaries.app], database_key=canaries.key)
    ref = own("feature/canaryprints")
    needles = canaries.needles(it.identity(ref).role)
    path = it.path / "app" / "migrate.py"
    path.write_text(
        "import json, os, sys\nprint(json.dumps(dict(os.environ)))\nprint(os.environ)\nsys.exit(dict(os.environ))\n"
    )
    it.push(ref)
    for arguments, code in ((("deploy",), 11), (("why",), 0), (("logs", "--migration"), 0), (("logs", "--json"), 0)):
        done = it.deploytag(*arguments)
        assert done.code == code, done.output
        assert needles.found(done.output) == set(), arguments
        assert REDACTED in done.output or arguments == ("logs", "--json"), done.output
    record = kubectl("get", "configmaps", "-n", "deploytag-system", "-o", "yaml")
    assert needles.found(record) == set()


def mount_secret(dockerfile: Path, value: str, user: str) -> None:
    """Let the image's build fail unless the build secret `token` is mounted and has this value."""
    digest = hashlib.sha256(value.encode()).hexdigest()
    mounted = "--mount=type=secret,id=token,required=true"
    check = f"echo '{digest}  /run/secrets/token' | sha256sum --check"
    dockerfile.write_text(f"{dockerfile.read_text()}\nUSER root\nRUN {mounted} {check}\nUSER {user}\n")


def _images(it: Pushing, stack: str) -> list[str]:
    outputs = json.loads(it.checkout.must("pulumi", "stack", "output", "--json", "--stack", stack))
    return [outputs["base_image"], outputs["app_image"]]


def failing_migration(it: Pushing) -> None:
    (it.path / "app" / "migrate.py").write_text("raise SystemExit('relation orders exists already')\n")


def crash_loop(it: Pushing) -> None:
    (it.path / "app" / "web.py").write_text("raise SystemExit('cannot find module app')\n")


def build_failure(it: Pushing) -> None:
    with (it.path / "Dockerfile").open("a") as dockerfile:
        dockerfile.write("\nRUN env; exit 3\n")


def missing_key(it: Pushing) -> None:
    path = it.path / "deploytag.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["variables"]["required"] = ["APP_ODD", "NOBODY_SETS_THIS"]
    path.write_text(yaml.safe_dump(settings))


def broken_chart(it: Pushing) -> None:
    it.checkout.edit("charts/app/templates/web.yaml", "kind:", "{{ .Nothing.here }}\nkind:")
