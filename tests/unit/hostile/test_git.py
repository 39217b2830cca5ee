"""Git, with names and remotes that would like it to do something else."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploytag import remote as remotes
from deploytag import repository
from deploytag.content import stage, stage_chart
from deploytag.errors import ContentError, DeployTagError, SettingsError, UnreachableError
from deploytag.ignore import find_ignore_file, parse_rules
from deploytag.remote import Remote
from deploytag.trust import remote_name
from tests.unit.checkout import Checkout

ALLOWED = [
    *(
        "feature/$(touch${IFS}pwned)",
        "feature/`touch${IFS}pwned`",
        "feature/;touch${IFS}pwned",
        "feature/|sh",
        "feature/&x",
    ),
    *("feature/--upload-pack=touch${IFS}pwned", "feature/'\"", "feature/{{.Values.x}}", "feature/${{github.token}}"),
    *(
        "feature/\u202ex",
        "feature/\x85x",
        "feature/e\u0301",
        "feature/%0a",
        "feature/<b>",
        "feature/#",
        "feature/" + "y" * 200,
    ),
]
"""Names that git itself takes."""

REFUSED = ["--upload-pack=touch${IFS}pwned", "-h", "HEAD", "@"]
"""Names of branches that only a server can hold: `git branch` refuses them."""


@pytest.fixture(autouse=True)
def nothing_ran(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(checkout.path)
    yield
    assert not list(checkout.path.parent.rglob("pwned"))


def test_hostile_branches_are_only_names(checkout: Checkout, tmp_path: Path) -> None:
    commit = checkout.commit()
    bare = tmp_path / "remote.git"
    checkout.git("clone", "-q", "--bare", str(checkout.path), str(bare))
    server = Checkout(bare)
    for name in [*ALLOWED, *REFUSED]:
        server.git("update-ref", f"refs/heads/{name}", commit)
    remote = Remote(checkout.path, str(bare))
    assert remote.refs() == {"main": commit} | dict.fromkeys(ALLOWED, commit)
    for name in ALLOWED:
        assert remote.tip(name) == commit
        assert remote.fetch(name) == commit
    for name in REFUSED:
        with pytest.raises(DeployTagError):
            remote.fetch(name)


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch% pwned",
        "ssh://-oProxyCommand=touch pwned/x",
        "-oProxyCommand=touch${IFS}pwned:x",
        "file:///nonexistent/$(touch pwned)",
        "/nonexistent;touch pwned",
        "http://127.0.0.1:1/\n\x1b[2J",
    ],
)
def test_a_hostile_address_runs_nothing(checkout: Checkout, url: str) -> None:
    checkout.commit()
    with pytest.raises((UnreachableError, SettingsError)):
        Remote(checkout.path, url).refs()


@pytest.mark.parametrize("remote", ["--upload-pack=touch pwned", "-h", "a b", "ext::sh -c x"])
def test_no_option_is_taken_for_a_remote(tmp_path: Path, remote: str) -> None:
    with pytest.raises(SettingsError, match="no name or URL of a git remote"):
        remote_name(tmp_path, {"DEPLOYTAG_REMOTE": remote})


def scripted(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A git that does as the real one, but for what it answers to `ls-remote`."""
    real = next(path for path in os.environ["PATH"].split(":") if Path(path, "git").is_file())
    folder.mkdir()
    git = folder / "git"
    git.write_text(f'#!/bin/sh\n[ "$1" = ls-remote ] || exec {real}/git "$@"\n{script}\n')
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("head -c 2000000 /dev/zero", "which is no answer"),
        ("head -c 9000000 /dev/zero | tr '\\0' a >&2; exit 1", "a{100}"),
        ("printf 'remote: \\033[2J\\nhttps://user:secret@host/x\\n' >&2; exit 1", "did not answer"),
        ("sleep 1000", "took more than 1 s"),
    ],
)
def test_a_remote_may_say_anything(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    checkout.commit()
    scripted(tmp_path / "bin", monkeypatch, script)
    monkeypatch.setattr(remotes, "LONGEST_ANSWER", 1 << 20)
    with pytest.raises(UnreachableError, match=said) as caught:
        Remote(checkout.path, "https://remote.test/x", seconds=1 if "sleep" in script else 30).refs()
    assert "secret" not in str(caught.value)
    assert len(str(caught.value)) < 10_000


def test_garbage_is_no_refs(checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout.commit()
    script = "printf 'x\\trefs/heads/a\\n--upload-pack=x\\trefs/heads/b\\n\\377\\tx\\n\\n\\t\\nrefs/heads/c\\n'"
    scripted(tmp_path / "bin", monkeypatch, script)
    assert Remote(checkout.path, "https://remote.test/x").refs() == {}


def test_names_that_look_like_options_are_asked_about_as_names(checkout: Checkout) -> None:
    checkout.track({".gitignore": "--stdin\n"})
    assert repository.ignored(checkout.path, ["--stdin", "-v", "a b\n"]) == ["--stdin"]
    assert repository.ignored(checkout.path, []) == []


# --- files that lead elsewhere ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["/dev/zero", "/etc/passwd", "../outside", "/nonexistent"])
def test_an_ignore_file_does_not_lead_out_of_the_repository(checkout: Checkout, tmp_path: Path, target: str) -> None:
    (tmp_path / "outside").write_text("secret\n")
    checkout.track({"Dockerfile": "FROM x\n"})
    (checkout.path / ".dockerignore").symlink_to(target)
    checkout.git("add", "--", ".dockerignore")
    ignore = find_ignore_file(checkout.path, "Dockerfile")
    with pytest.raises(ContentError, match="link out of the repository"):
        stage(checkout.path, ["."], tmp_path / "staged", ignore_file=ignore)


def test_an_archive_that_is_a_link_is_not_taken(checkout: Checkout, tmp_path: Path) -> None:
    """Staging would give what it leads to the mode of a chart's file."""
    private = tmp_path / "private"
    private.write_text("secret")
    private.chmod(0o600)
    checkout.track(
        {
            "chart/Chart.yaml": "name: app\nversion: 1.0.0\n"
            "dependencies: [{name: redis, version: 1.0.0, repository: 'https://charts.test'}]\n"
        }
    )
    (checkout.path / "chart/charts").mkdir()
    (checkout.path / "chart/charts/redis-1.0.0.tgz").symlink_to(private)
    with pytest.raises(ContentError, match="helm dependency build"):
        stage_chart(checkout.path, "chart", tmp_path / "staged")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600


@pytest.mark.parametrize("pattern", ["*a*a*a*a*a*a*b", "**/a/**/a/**/a/**/a/**/b"])
def test_a_pattern_that_would_take_for_ever_is_refused(pattern: str) -> None:
    with pytest.raises(ContentError, match="too many stars"):
        parse_rules(pattern)


def test_usual_patterns_are_not() -> None:
    rules = parse_rules("**/__pycache__/**/*.py[cod]\n*.test.*.js\n**/*_test_*.py\n!a/**/b\n")
    assert rules.match_file("x/__pycache__/y.pyc")
    assert rules.match_file("a.test.b.js")
