"""Asking a git remote, with real repositories and a real one that never answers."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploytag.errors import RefError, SettingsError, UnreachableError
from deploytag.remote import Refs, Remote, parse_counted, parse_refs, place_of
from tests.silent import silent_git_server
from tests.unit.checkout import Checkout

A, B, C = "a" * 40, "b" * 40, "c" * 40


@pytest.fixture
def bare(tmp_path: Path, checkout: Checkout) -> Path:
    """An empty repository that the checkout knows as `origin`."""
    path = tmp_path / "remote.git"
    checkout.git("init", "-q", "--bare", "-b", "main", str(path))
    checkout.git("remote", "add", "origin", str(path))
    return path


@pytest.mark.parametrize(
    ("url", "place"),
    [
        *(
            (url, "git.test/team/shop")
            for url in (
                "https://git.test/team/shop",
                "https://git.test/team/shop.git",
                "https://Git.test:8443/Team/shop.git/",
                "https://ci-token:secret@git.test/team/shop.git",
                "ssh://git@git.test:2222/team/shop.git",
                "git@git.test:team/shop.git",
                "git.test:/team/shop",
                "git://git.test/team/shop",
            )
        ),
        ("https://git.test", "git.test/"),
        ("ssh://git@[2001:db8::1]:22/shop.git", "[2001:db8::1]/shop"),
        *((url, None) for url in ("/srv/git/shop.git", "../shop.git", "./a:b", "file:///srv/shop.git", "", "origin")),
        ("https://user:p@ss@git.test/shop", None),  # no URL: whatever it says stays unsaid
    ],
)
def test_a_repository_is_the_same_by_every_protocol(url: str, place: str | None) -> None:
    assert place_of(url) == place


def test_a_remotes_place_is_that_of_its_url(checkout: Checkout) -> None:
    checkout.git("remote", "add", "origin", "git@git.test:team/shop.git")
    assert Remote(checkout.path, "origin").place == "git.test/team/shop"
    assert Remote(checkout.path, "https://git.test/other").place == "git.test/other"
    assert Remote(checkout.path, "/srv/other.git").place is None


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([], {}, id="an empty repository"),
        pytest.param(
            [(A, "refs/heads/feature/test"), (B, "refs/heads/main")], {"feature/test": A, "main": B}, id="two"
        ),
        pytest.param([(A, "refs/heads/x"), (B, "refs/tags/x")], {"x": A}, id="a branch wins over a tag"),
        pytest.param([(B, "refs/tags/x"), (A, "refs/heads/x")], {"x": A}, id="in any order"),
        pytest.param([(A, "refs/tags/v1"), (B, "refs/tags/v1^{}")], {"v1": B}, id="an annotated tag is its commit"),
        pytest.param(
            [(A, "HEAD"), (A, "refs/pull/1/head"), (A, "refs/heads/HEAD"), (A, "refs/heads/-x")], {}, id="no branches"
        ),
        pytest.param([(A, "refs/heads/refs/heads/x")], {"refs/heads/x": A}, id="one prefix is taken off, not all"),
        pytest.param(
            [(A, "refs/heads/feature/a\u2028b"), (B, "refs/heads/feature/c\x85d")],
            {"feature/a\u2028b": A, "feature/c\x85d": B},
            id="a name is one line, whatever Unicode thinks",
        ),
    ],
)
def test_reading_the_listing(lines: list[tuple[str, str]], expected: dict[str, str]) -> None:
    assert parse_refs("".join(f"{commit}\t{name}\n" for commit, name in lines)) == expected


def test_branches_are_counted_and_tags_are_not() -> None:
    tags = "".join(f"{A}\trefs/tags/v{number}\n" for number in range(1000))
    assert parse_counted(tags).branches == 0
    assert parse_counted(f"{tags}{A}\trefs/heads/main\n{A}\trefs/heads/v1\n{A}\trefs/heads/HEAD\n").branches == 2
    assert parse_counted(f"{A}\trefs/heads/x\n{B}\trefs/tags/x\n") == Refs({"x": A}, 1)


def test_tips(checkout: Checkout, bare: Path) -> None:
    remote = Remote(checkout.path, "origin")
    assert remote.refs() == {}
    assert remote.tip("feature/test") is None
    first = checkout.commit()
    checkout.git("tag", "-m", "annotated", "v1")
    checkout.git("push", "-q", "origin", "main:feature/test", "v1")
    second = checkout.commit()
    checkout.git("push", "-q", "origin", "main:feature/test-2", "main:other/feature/test", "main:refs/notes/x")
    tips = {"feature/test": first, "feature/test-2": second, "other/feature/test": second, "v1": first}
    assert remote.refs() == tips
    assert remote.counted() == Refs(tips, 3)
    assert Remote(checkout.path / ".", str(bare)).refs() == tips, "a path will do"
    for ref, commit in tips.items():
        assert remote.tip(ref) == commit
    for other in ("test", "feature", "feature/tes", "Feature/test", "refs/heads/feature/test"):
        assert remote.tip(other) is None
    with pytest.raises(RefError, match=r"contains '\*'"):
        remote.tip("feature/*")


def test_a_branch_wins_over_a_tag(checkout: Checkout, bare: Path) -> None:
    tagged = checkout.commit()
    checkout.git("tag", "same")
    branch = checkout.commit()
    checkout.git("push", "-q", "origin", "main:refs/heads/same", "refs/tags/same")
    assert Remote(checkout.path, "origin").tip("same") == branch
    checkout.git("push", "-q", "origin", ":refs/heads/same")
    assert Remote(checkout.path, "origin").tip("same") == tagged


def test_fetching(checkout: Checkout, bare: Path, tmp_path: Path) -> None:
    """Into the objects alone: a run changes no ref of the developer's."""
    checkout.commit()
    checkout.git("push", "-q", "origin", "main")
    other = Checkout(tmp_path / "other")
    checkout.git("clone", "-q", "--no-local", str(bare), str(other.path))
    old, new = checkout.commit(), checkout.commit()
    checkout.git("push", "-q", "origin", "main", "main~1:refs/heads/older")
    before = other.git("for-each-ref")
    remote = Remote(other.path, "origin")
    assert not remote.has(old)
    assert remote.fetch(old) == old
    assert remote.has(old)
    assert not remote.has(new)
    assert remote.fetch("main") == new
    assert remote.has(new)
    assert other.git("for-each-ref") == before
    assert not (other.path / ".git" / "FETCH_HEAD").exists()
    with pytest.raises(RefError, match="has no branch or tag gone"):
        remote.fetch("gone")
    with pytest.raises(RefError, match=f"does not give out the commit {A}"):
        remote.fetch(A)


def test_a_shallow_checkout_stays_shallow_and_a_whole_one_whole(checkout: Checkout, bare: Path, tmp_path: Path) -> None:
    for _ in range(3):
        checkout.commit()
    checkout.git("push", "-q", "origin", "main")
    shallow = Checkout(tmp_path / "shallow")
    checkout.git("clone", "-q", "--depth=1", f"file://{bare}", str(shallow.path))
    for _ in range(3):
        tip = checkout.commit()
    checkout.git("push", "-q", "origin", "main")
    assert Remote(shallow.path, "origin").fetch("main") == tip
    assert shallow.git("rev-list", "--count", tip) == "1"
    assert Remote(checkout.path, "origin").fetch("main") == tip
    assert checkout.git("rev-list", "--count", tip) == "6"


@pytest.mark.parametrize("shallow", [False, True])
def test_whose_commit_it_is(checkout: Checkout, bare: Path, tmp_path: Path, shallow: bool) -> None:
    checkout.git("switch", "-q", "-c", "feature/a")
    first = checkout.commit("first")
    tip = checkout.commit("second")
    checkout.git("push", "-q", "origin", "feature/a")
    checkout.git("switch", "-q", "--detach", first)
    others = checkout.commit("of another branch")
    checkout.git("push", "-q", "origin", f"{others}:refs/heads/feature/b")
    clone = Checkout(tmp_path / "clone")
    checkout.git("clone", "-q", *(["--depth=1"] if shallow else []), f"file://{bare}", str(clone.path))
    remote = Remote(clone.path, "origin")
    remote.fetch(others)  # what is here is not yet the branch's
    assert remote.holds(tip, tip)
    assert remote.holds(tip, first)
    assert not remote.holds(tip, others)
    assert not remote.holds(first, tip)
    for nothing in ("0" * 40, "HEAD", "feature/a", "--all", ""):
        assert not remote.holds(tip, nothing)


def test_an_unknown_remote_is_a_mistake_of_the_settings(checkout: Checkout, bare: Path) -> None:
    # Git itself would look for a folder of that name, and there is one.
    checkout.git("init", "-q", "--bare", str(checkout.path / "sandbox"))
    with pytest.raises(SettingsError) as caught:
        Remote(checkout.path, "sandbox").refs()
    assert "sandbox is no remote of the checkout" in str(caught.value)
    assert "`git config deploytag.remote NAME`, or DEPLOYTAG_REMOTE" in str(caught.value)
    assert "has origin." in str(caught.value)
    checkout.git("remote", "remove", "origin")
    with pytest.raises(SettingsError, match="has no remote at all"):
        Remote(checkout.path, "sandbox").tip("main")


def test_a_remote_that_does_not_answer_is_never_an_empty_one(checkout: Checkout, bare: Path) -> None:
    checkout.git("remote", "set-url", "origin", str(bare.parent / "moved.git"))
    for name in ("origin", str(bare.parent / "moved.git")):
        with pytest.raises(UnreachableError, match=r"did not answer: fatal: .*does not appear to be a git repository"):
            Remote(checkout.path, name).refs()
    bare.joinpath("HEAD").unlink()
    with pytest.raises(UnreachableError):
        Remote(checkout.path, str(bare)).tip("feature/test")


def test_a_password_in_an_address_is_not_shown(checkout: Checkout) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for url in (f"http://somebody:s3cret@127.0.0.1:{port}/x.git", f"git://somebody:s3cret@127.0.0.1:{port}/x.git"):
        with pytest.raises(UnreachableError) as caught:
            Remote(checkout.path, url, {"PATH": os.environ["PATH"]}).refs()
        assert "127.0.0.1" in str(caught.value)
        assert "s3cret" not in str(caught.value)


def test_an_address_is_never_an_option_or_a_command(checkout: Checkout, tmp_path: Path) -> None:
    checkout.commit()
    touched = tmp_path / "touched"
    with pytest.raises(SettingsError):
        Remote(checkout.path, "--upload-pack").refs()
    for url in (f"--upload-pack=touch {touched}/", f"ext::touch {touched}"):
        with pytest.raises(UnreachableError):
            Remote(checkout.path, url).refs()
    assert not touched.exists()


@pytest.fixture
def silent() -> Iterator[str]:
    with silent_git_server() as server:
        yield server.url


def test_a_remote_that_hangs_is_unreachable_and_leaves_no_process(checkout: Checkout, silent: str) -> None:
    with pytest.raises(UnreachableError, match=r"`git ls-remote` took more than 1 s"):
        Remote(checkout.path, silent, seconds=1).refs()
    mine = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
    assert not [command for command in mine if command and silent in command]


def test_whatever_a_hook_has_set_the_checkout_is_asked(
    checkout: Checkout, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = checkout.commit()
    checkout.git("push", "-q", "origin", "main")
    other = tmp_path / "other.git"
    subprocess.run(["git", "init", "-q", "--bare", str(other)], check=True)
    for name, value in {
        "GIT_DIR": str(other),
        "GIT_QUARANTINE_PATH": str(other / "objects"),
        "GIT_OBJECT_DIRECTORY": str(other / "objects"),
        "GIT_PREFIX": "x/",
    }.items():
        monkeypatch.setenv(name, value)
    assert Remote(checkout.path, "origin").refs() == {"main": commit}
    assert Remote(checkout.path, "origin").has(commit)


def test_ssh_is_never_asked_to_ask_and_keeps_the_key_of_the_checkout(checkout: Checkout, tmp_path: Path) -> None:
    """Git is made to call a script in place of ssh, which writes down how."""
    said = tmp_path / "said"
    script = checkout.write("ssh", f'#!/bin/sh\necho "$GIT_TERMINAL_PROMPT $*" >> {said}\nexit 255\n', executable=True)
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    url = "git@127.0.0.1:acme/shop.git"
    for command in ({"GIT_SSH_COMMAND": f"{script} -i key"}, {}, {"GIT_SSH": str(script)}):
        if not command:
            checkout.git("config", "core.sshCommand", f"{script} -i other")
        with pytest.raises(UnreachableError):
            Remote(checkout.path, url, environ | command).refs()
    by_variable, by_checkout, by_program = (line for line in said.read_text().splitlines() if "upload-pack" in line)
    assert by_variable.startswith("0 -i key -o BatchMode=yes")
    assert by_checkout.startswith("0 -i other -o BatchMode=yes")
    assert by_program.startswith("0 ")
