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
from deploytag.errors import OwnershipError
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


def test_what_a_run_starts_is_led_by_the_kubeconfig_alone(root: Path) -> None:
    """Helm takes these before the kubeconfig, or looks for releases where recovery does not."""
    led = ("HELM_KUBECONTEXT", "HELM_KUBEAPISERVER", "HELM_KUBETOKEN", "HELM_KUBECAFILE", "HELM_KUBEASUSER")
    more = ("HELM_KUBEINSECURE_SKIP_TLS_VERIFY", "HELM_NAMESPACE", "HELM_DRIVER", "HELM_DRIVER_SQL_CONNECTION_STRING")
    pulumi = ("PULUMI_K8S_HELM_DRIVER", "PULUMI_K8S_DELETE_UNREACHABLE")
    environ = dict.fromkeys((*led, *more, *pulumi, "HELM_CACHE_HOME", "PATH"), "x")
    assert sorted(opened(root, **environ).environ) == [
        *("HELM_CACHE_HOME", "KUBECONFIG", "PATH", "PULUMI_BACKEND_URL", "PULUMI_HOME")
    ]


def test_a_kubeconfig_is_the_same_file_in_every_folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Helm, in a folder of the run, would not find `../kubeconfig`, and say nothing."""
    monkeypatch.setenv("HOME", str(root))
    kubeconfig(root / "kubeconfig")
    assert opened(root, KUBECONFIG="../kubeconfig").environ["KUBECONFIG"] == f"{root}/app/../kubeconfig"
    both = opened(root, KUBECONFIG="nothing::~/kubeconfig").environ["KUBECONFIG"]
    assert both == f"{root}/app/nothing:{root}/kubeconfig"
    (root / ".kube").mkdir()
    kubeconfig(root / ".kube" / "config")
    assert opened(root, KUBECONFIG="").environ["KUBECONFIG"] == f"{root}/.kube/config"


def test_of_several_kubeconfigs_the_cluster_is_checked_that_helm_and_pulumi_take(root: Path) -> None:
    """The first file that names a context decides, as for kubectl; the Python client would take the last one's."""
    ours = kubeconfig(root / "ours", context="ours")
    other = kubeconfig(root / "other", "https://other.test:6443", context="other")
    silent = root / "silent"
    silent.write_text("{clusters: [], users: [], contexts: [], current-context: ''}")
    for first in (f"{ours}:{other}", f"{silent}:{ours}:{other}"):
        assert opened(root, KUBECONFIG=first).cluster.api.host == SERVER
    with pytest.raises(OwnershipError, match=r"the kubeconfig's cluster is https://other\.test:6443"):
        opened(root, KUBECONFIG=f"{other}:{ours}")
