"""Pulumi's files in a folder: read, and removed exactly."""

import gzip
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploytag.delivery.backend import Backend
from deploytag.delivery.store import StateStore, limitation
from deploytag.errors import DeploymentError, SettingsError, UnreachableError

HOLDER = {"pid": 7, "username": "ann", "hostname": "runner", "timestamp": "2026-11-23T08:30:19.745085022Z"}


@pytest.fixture
def store(tmp_path: Path) -> StateStore:
    found = StateStore.from_environ({"PULUMI_BACKEND_URL": f"file://{tmp_path}?no_tmp_dir=true"}, tmp_path)
    assert found is not None
    return found


def write(folder: Path, name: str, content: bytes | str = b"") -> Path:
    path = folder / ".pulumi" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.with_name(path.name + ".attrs").write_text("{}")
    return path


def checkpoint(latest: object) -> bytes:
    return json.dumps({"version": 3, "checkpoint": {"stack": "x", "latest": latest}}).encode()


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder / ".pulumi")) for path in folder.rglob("*") if path.is_file()}


def test_nothing_is_there_before_the_first_stack(store: StateStore) -> None:
    assert store.stacks("shop") == []
    assert store.checkpoint("shop", "feature-test") is None
    assert store.locks("shop", "feature-test") == []
    store.remove_stack("shop", "feature-test")


def test_the_stacks_of_a_project(store: StateStore, tmp_path: Path) -> None:
    for name in ("shop/b.json", "shop/a.json.gz", "shop/c.json.bak", "shop/d.json.17ab.tmp", "other/e.json"):
        write(tmp_path, f"stacks/{name}")
    assert store.stacks("shop") == ["a", "b"]


RESOURCE = {"urn": "urn:pulumi:x::shop::a:b:C::d", "type": "a:b:C"}


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("x.json", checkpoint({"resources": [RESOURCE]}), {"resources": [RESOURCE]}),
        ("x.json.gz", gzip.compress(checkpoint({"resources": [RESOURCE]}), mtime=0), {"resources": [RESOURCE]}),
        ("x.json", gzip.compress(checkpoint({"resources": [RESOURCE]}), mtime=0), {"resources": [RESOURCE]}),
        ("x.json", checkpoint(None), {}),
        ("x.json", b'{"version": 3, "checkpoint": {"stack": "x"}}', {}),
        ("x.json.bak", checkpoint({}), None),
        ("xx.json", checkpoint({}), None),
    ],
)
def test_the_checkpoint_of_a_stack(
    store: StateStore, tmp_path: Path, name: str, content: bytes, expected: object
) -> None:
    write(tmp_path, f"stacks/shop/{name}", content)
    assert store.checkpoint("shop", "x") == expected


def test_of_two_checkpoints_the_newest_counts(store: StateStore, tmp_path: Path) -> None:
    for age, name in ((100, "x.json"), (50, "x.json.gz")):
        path = write(tmp_path, f"stacks/shop/{name}", checkpoint({"age": age}))
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    assert store.checkpoint("shop", "x") == {"age": 50}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"checkpoint": 3}', b"\x1f\x8bno", b"\x28\xb5\x2f\xfd"])
def test_a_checkpoint_that_is_none_is_said(store: StateStore, tmp_path: Path, content: bytes) -> None:
    write(tmp_path, "stacks/shop/x.json", content)
    with pytest.raises(DeploymentError, match="the checkpoint of the stack x in file://"):
        store.checkpoint("shop", "x")


def test_locks_say_who_holds_them_and_are_removed_one_by_one(store: StateStore, tmp_path: Path) -> None:
    write(tmp_path, "locks/organization/shop/x/one.json", json.dumps(HOLDER))
    write(tmp_path, "locks/organization/shop/x/two.json", json.dumps({**HOLDER, "pid": 8}))
    write(tmp_path, "locks/organization/shop/y/three.json", json.dumps(HOLDER))
    one = next(lock for lock in store.locks("shop", "x") if lock.path.name == "one.json")
    assert one.holder is not None
    assert (one.holder.pid, one.holder.username, one.holder.hostname) == (7, "ann", "runner")
    assert one.holder.timestamp == datetime(2026, 11, 23, 8, 30, 19, 745085, tzinfo=UTC)
    store.remove_lock(one)
    store.remove_lock(one)  # gone already
    assert [lock.path.name for lock in store.locks("shop", "x")] == ["two.json"]
    assert len(store.locks("shop", "y")) == 1
    assert not any("one.json" in name for name in names(tmp_path))


@pytest.mark.parametrize("content", ["", "{", '{"pid": "x"}', json.dumps(HOLDER)[:40]])
def test_a_lock_that_was_not_written_to_its_end_has_no_holder(store: StateStore, tmp_path: Path, content: str) -> None:
    write(tmp_path, "locks/organization/shop/x/one.json.17ab.tmp", content)
    (lock,) = store.locks("shop", "x")
    assert lock.holder is None


def test_a_stack_is_removed_with_everything_of_its_own_and_nothing_else(store: StateStore, tmp_path: Path) -> None:
    for mine in (
        "stacks/shop/x.json",
        "stacks/shop/x.json.bak",
        "stacks/shop/x.json.gz",
        "stacks/shop/x.json.17ab.tmp",
        "stacks/shop/x.json.bak.17ab.tmp",
        "stacks/shop/x.json.1790000000000000000",
        "stacks/shop/x.pulumi-tags",
        "history/shop/x/x-1.history.json",
        "history/shop/x/x-1.checkpoint.json",
        "backups/shop/x/x.1.json",
        "locks/organization/shop/x/one.json",
    ):
        write(tmp_path, mine, "{}")
    others = [
        "stacks/shop/xx.json",
        "stacks/shop/x.json.json",
        "stacks/shop/x-y.json",
        "stacks/shop/x.y.json",
        "stacks/other/x.json",
        "history/shop/xx/xx-1.history.json",
        "history/other/x/x-1.history.json",
        "locks/organization/shop/xx/one.json",
        "meta.yaml",
    ]
    for other in others:
        write(tmp_path, other, "{}")
    store.remove_stack("shop", "x")
    assert names(tmp_path) == {*others, *(f"{other}.attrs" for other in others)}


def test_of_a_stack_that_was_removed_the_files_that_are_left_are_found(store: StateStore, tmp_path: Path) -> None:
    for name in (
        "stacks/shop/a.json",
        "stacks/shop/a.json.bak",
        "backups/shop/a/a.1790000000000000000.json",
        "stacks/shop/b.json.bak",
        "stacks/shop/b.json.json",
        "stacks/shop/c.json.gz.bak",
        "backups/shop/d.e/d.e.1790000000000000000.json",
        "history/shop/f/f-1790000000000000000.history.json",
        "stacks/shop/g.json.17ab.tmp",
        "stacks/shop/h.pulumi-tags",
        "stacks/other/i.json.bak",
        "history/other/j/j-1790000000000000000.history.json",
        "backups/shop/no folder",
        "backups/shop/nofolder",
    ):
        write(tmp_path, name)
    (tmp_path / ".pulumi/stacks/shop/k.json.attrs").write_text("{}")
    for folder in ("history", "backups"):  # as Pulumi leaves them
        (tmp_path / ".pulumi" / folder / "shop" / "empty").mkdir(parents=True)
    assert store.removed("shop") == ["b", "c", "d.e", "f", "g", "h", "k"]
    for stack in store.removed("shop"):
        store.remove_stack("shop", stack)
    assert store.removed("shop") == []
    assert store.stacks("shop") == ["a", "b.json"]
    assert store.removed("other") == ["i", "j"]


def test_copies_of_a_checkpoint_are_read_from_the_newest_on(store: StateStore, tmp_path: Path) -> None:
    for name, said in (
        ("backups/shop/x/x.1790000000000000002.json", "second"),
        ("history/shop/x/x-1790000000000000003.checkpoint.json.gz", "third"),
        ("backups/shop/x/x.999999999999999999.json", "first"),
        ("stacks/shop/x.json.bak", "last"),
        ("stacks/shop/x.json", "now"),
        ("stacks/shop/xx.json.bak", "another's"),
        ("backups/shop/x/x.json", "no copy"),
        (f"backups/shop/x/x.{'9' * 5000}.json"[:200] + ".json", "no number"),
    ):
        write(tmp_path, name, checkpoint({"said": said}))
    write(tmp_path, "history/shop/x/x-1790000000000000004.history.json", "{}")
    write(tmp_path, "backups/shop/x/x.1790000000000000005.json", "torn")
    (tmp_path / ".pulumi/backups/shop/x/x.1790000000000000006.json").mkdir()
    assert [it["said"] for it in store.copies("shop", "x")] == ["last", "third", "second", "first"]
    assert list(store.copies("shop", "y")) == []


def test_what_a_killed_write_left_is_removed(store: StateStore, tmp_path: Path) -> None:
    for name in ("x.json", "x.json.bak", "xx.json"):
        write(tmp_path, f"stacks/shop/{name}", checkpoint({}))
    torn = [
        write(tmp_path, "stacks/shop/x.json.18eaa242948743a3.tmp", '{"version": 3, "che'),
        tmp_path / ".pulumi/stacks/shop/x.json.attrs",
        tmp_path / ".pulumi/meta.yaml.attrs",
    ]
    (tmp_path / ".pulumi/stacks/shop/x.json.18eaa242948743a3.tmp.attrs").unlink()
    for path in torn[1:]:
        path.write_text("")
    another = tmp_path / ".pulumi/stacks/shop/xx.json.attrs"
    another.write_text("")
    before = names(tmp_path)
    assert sorted(store.mend("shop", "x")) == sorted(path.name for path in torn)
    assert before - names(tmp_path) == {str(path.relative_to(tmp_path / ".pulumi")) for path in torn}
    assert store.mend("shop", "x") == []
    assert store.checkpoint("shop", "x") == {}


def test_what_may_not_be_read_is_a_sentence(store: StateStore, tmp_path: Path) -> None:
    (tmp_path / ".pulumi").mkdir()
    (tmp_path / ".pulumi" / "stacks").write_text("not a folder")
    with pytest.raises(UnreachableError, match=r"state in file://.* cannot be used .*comes from PULUMI_BACKEND_URL"):
        store.stacks("shop")


@pytest.mark.parametrize("url", ["https://api.pulumi.com", "http://localhost:1", "gs://bucket", "azblob://container"])
def test_a_backend_of_another_kind_is_no_store(url: str) -> None:
    environ = {"PULUMI_BACKEND_URL": url}
    assert StateStore.from_environ(environ, Path("/nonexistent")) is None
    assert (limitation(environ, Path("/nonexistent")) is not None) == url.startswith(("gs", "azblob"))


def test_the_backend_is_looked_for_where_the_cli_does(tmp_path: Path) -> None:
    environ = {"PULUMI_HOME": str(tmp_path / "home")}
    assert Backend.find(environ, tmp_path) is None
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "credentials.json").write_text('{"current": "file://~/login"}')
    assert (found := Backend.find(environ, tmp_path)) is not None
    assert found.folder() == Path("~/login").expanduser()
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nbackend: {url: 'file://./project'}\n")
    assert (found := Backend.find(environ, tmp_path)) is not None
    assert found.folder() == tmp_path / "project"
    environ["PULUMI_BACKEND_URL"] = "file:///environ?metadata=skip"
    assert (found := Backend.find(environ, tmp_path)) is not None
    assert found.folder() == Path("/environ")


def test_a_login_may_be_kept_elsewhere(tmp_path: Path) -> None:
    for folder in ("home", "credentials"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "credentials.json").write_text(json.dumps({"current": f"file:///{folder}"}))
    environ = {"PULUMI_HOME": "home", "PULUMI_CREDENTIALS_PATH": str(tmp_path / "credentials")}
    assert (found := Backend.find(environ, tmp_path)) is not None
    assert found.folder() == Path("/credentials")
    del environ["PULUMI_CREDENTIALS_PATH"]
    assert (found := Backend.find(environ, tmp_path)) is not None
    assert found.folder() == Path("/home"), "the CLI runs in the project's folder"


@pytest.mark.parametrize(
    ("url", "folder", "everywhere"),
    [
        ("file://./state", "/a b%/state", "file:///a%20b%25/state"),
        ("file://state?metadata=skip", "/a b%/state", "file:///a%20b%25/state?metadata=skip"),
        ("file:///x%20y", "/x y", "file:///x%20y"),
        ("file:///x/../y#z", "/y", "file:///y"),
        ("file://%7E/x", "/a b%/~/x", "file:///a%20b%25/~/x"),
        ("file://~/x", "/home/ann/x", "file:///home/ann/x"),
        ("s3://states/x?region=eu-west-1", None, "s3://states/x?region=eu-west-1"),
    ],
)
def test_a_folder_is_the_one_that_the_cli_takes_and_the_same_from_everywhere(
    url: str, folder: str | None, everywhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a try with the CLI: it decodes the URL, takes `..` away by its text, and a fragment is no part of a path."""
    monkeypatch.setenv("HOME", "/home/ann")
    backend = Backend(url, "PULUMI_BACKEND_URL", Path("/a b%"))
    assert backend.everywhere == everywhere
    if folder:
        assert backend.folder() == Path(folder)
        assert Backend(everywhere, "PULUMI_BACKEND_URL", Path("/elsewhere")).folder() == Path(folder)


def test_a_bucket_is_taken_with_its_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("CLOUDPATHLIB_LOCAL_CACHE_DIR", str(tmp_path))
    url = "s3://user:password@states/a/b?endpoint=minio:9000&disableSSL=true&s3ForcePathStyle=true&region=eu-west-1"
    backend = Backend(url, "PULUMI_BACKEND_URL", tmp_path)
    assert backend.said == "s3://states/a/b"
    backend = Backend(url.replace("user:password@", ""), "PULUMI_BACKEND_URL", tmp_path)
    path = backend.bucket()
    assert str(path) == "s3://states/a/b"
    meta = path.client.client.meta
    assert (meta.endpoint_url, meta.region_name) == ("http://minio:9000", "eu-west-1")
    assert meta.config.s3 == {"addressing_style": "path"}
    with pytest.raises(SettingsError, match="role"):
        Backend("s3://states?role=arn:aws:iam::1:role/x", "PULUMI_BACKEND_URL", tmp_path).bucket()


@pytest.mark.parametrize("url", ["file://~nobody-is-called-this/state", "file://~\ud800", "file://a\0b"])
def test_what_names_no_folder_is_said_so(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="PULUMI_BACKEND_URL names no folder"):
        Backend(url, "PULUMI_BACKEND_URL", tmp_path).folder()
