"""An application that is no Python project, in a repository of its own with a remote, as `deploytag init` finds it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.e2e.program.checkout import REPOSITORY, Checkout, sandbox_environ
from tests.e2e.rights import deployed_by_the_wrapper

DOCKERFILE = """\
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends python3 && rm -rf /var/lib/apt/lists/*
WORKDIR /srv
COPY serve.sh .
EXPOSE 9000
CMD ["sh", "serve.sh"]
"""
SERVE = """\
mkdir /tmp/www
echo "$DEPLOYTAG_REF at $DEPLOYTAG_REVISION" > /tmp/www/index.html
exec python3 -m http.server 9000 --directory /tmp/www
"""
COMMIT = ("git", "-c", "user.name=e2e", "-c", "user.email=e2e@example.com", "commit", "--quiet", "-m", "change")


@contextmanager
def application(folder: Path) -> Iterator[Checkout]:
    """The repository, `application` below the folder; beside it `origin.git`."""
    it = Checkout(folder / "application", sandbox_environ())
    it.path.mkdir()
    (it.path / "Dockerfile").write_text(DOCKERFILE)
    (it.path / "serve.sh").write_text(SERVE)
    it.must("git", "init", "--quiet", "--initial-branch", "main")
    it.must("git", "init", "--quiet", "--bare", "--initial-branch", "main", str(folder / "origin.git"))
    it.must("git", "remote", "add", "origin", str(folder / "origin.git"))
    it.must("git", "add", "--all")
    it.must(*COMMIT)
    try:
        yield it
    finally:
        it.close()


@contextmanager
def project_of_its_own() -> Iterator[str]:
    """A project of one test alone, which the wrapper of the tests may deploy."""
    name = f"setup{os.urandom(3).hex()}"
    with deployed_by_the_wrapper(name):
        yield name


def initialise(it: Checkout, project: str = "setuptest", ci: str = "shell", *options: str) -> None:
    """`deploytag init` for the sandbox, committed and pushed."""
    registry = yaml.safe_load((REPOSITORY / "Pulumi.yaml").read_text())["config"]["registry"]["default"]
    it.must(
        *("deploytag", "init", "--project", project, "--builder", "deploytag", "--ci", ci),
        *("--registry", registry, *options),
    )
    it.must("git", "add", "--all")
    it.must(*COMMIT)
    it.must("git", "push", "--quiet", "origin", "main")
