"""What a run acts on is decided once: what it reads, Pulumi writes, whichever folder either is in."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploytag.delivery.hold import Held
from deploytag.delivery.processes.cancellation import Cancellation
from deploytag.delivery.run import Action, Run
from deploytag.delivery.world import World
from deploytag.identity import identify
from deploytag.settings import Policy

SERVER = "https://cluster.test:6443"
POLICY = Policy.model_validate(
    {
        "cluster": {"server": SERVER},
        "classes": {"feature": {"pattern": "feature/*", "secrets": [], "database": False, "migrations": False}},
    }
)


def kubeconfig(path: Path, server: str = SERVER, *, context: str = "it") -> Path:
    """A kubeconfig whose one cluster has the context's name."""
    content = {
        "clusters": [{"name": context, "cluster": {"server": server}}],
        "users": [{"name": context, "user": {"token": "x"}}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        "current-context": context,
    }
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout, whose subdirectory is the current directory; somebody has logged in to another backend before."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "credentials.json").write_text(json.dumps({"current": f"file://{tmp_path}/login"}))
    folder = tmp_path / "checkout"
    (folder / "app").mkdir(parents=True)
    monkeypatch.chdir(folder / "app")
    return folder


def opened(root: Path, **environ: str) -> World:
    given = {"PULUMI_HOME": str(root.parent / "home"), "KUBECONFIG": str(kubeconfig(root.parent / "kubeconfig"))}
    trusted: Any = SimpleNamespace(policy=POLICY, content=b"{}")
    progress: Any = SimpleNamespace(say=lambda _: None)
    return World.open("shop", root, trusted, {**given, **environ}, progress)


@contextmanager
def held(world: World, scratch: Path) -> Iterator[Held]:
    nothing: Any = None
    run = Run.start(Action.DESTROY, None)
    yield Held(world, identify("shop", "feature/test"), run, nothing, nothing, Cancellation(), scratch)


@pytest.mark.parametrize("url", ["file://state", "file://./state"])
@pytest.mark.parametrize("by", ["project", "environment"])
def test_what_is_read_and_what_pulumi_writes_are_the_same_from_every_folder(
    root: Path, tmp_path: Path, url: str, by: str
) -> None:
    project = {"name": "shop", "runtime": "python"} | ({"backend": {"url": url}} if by == "project" else {})
    (root / "Pulumi.yaml").write_text(json.dumps(project))
    world = opened(root, **({"PULUMI_BACKEND_URL": url} if by == "environment" else {}))
    assert world.store is not None
    assert world.store.root == root / "state" / ".pulumi"
    stack = root / "state" / ".pulumi" / "stacks" / "shop" / "feature-test.json"
    stack.parent.mkdir(parents=True)
    stack.touch()
    with held(world, tmp_path) as it:
        worktree = tmp_path / "worktree"
        for engine in (it.engine_without_program(), it.program(root, "a" * 40), it.program(worktree, "a" * 40)):
            assert engine.environ["PULUMI_BACKEND_URL"] == f"file://{root}/state"


def test_a_bucket_that_the_project_names_is_asked_and_not_the_login(root: Path, monkeypatch: Any) -> None:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "x")
    url = "s3://states/shop?region=eu-west-1"
    (root / "Pulumi.yaml").write_text(json.dumps({"name": "shop", "runtime": "python", "backend": {"url": url}}))
    world = opened(root)
    assert world.store is not None
    assert str(world.store.root) == "s3://states/shop/.pulumi"
    assert world.environ["PULUMI_BACKEND_URL"] == url


def test_where_nothing_names_a_backend_pulumi_is_told_which_it_takes(root: Path) -> None:
    """An old commit's Pulumi.yaml may name one, and `destroy` would ask another than `deploy`."""
    (root / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    assert opened(root).environ["PULUMI_BACKEND_URL"] == f"file://{root.parent}/login"
    (root.parent / "home" / "credentials.json").unlink()
    world = opened(root)
    assert world.store is None
    assert world.environ["PULUMI_BACKEND_URL"] == "https://api.pulumi.com"
    assert opened(root, PULUMI_API="https://pulumi.test").environ["PULUMI_BACKEND_URL"] == "https://pulumi.test"
