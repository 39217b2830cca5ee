"""buildx, played by a small script, and what is made of its answers."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytag import buildx
from deploytag.build_message import LIMIT, tell, understand
from deploytag.errors import UnreachableError

CONTEXT = "49a0a3d7"


def record(ref: str, created: str, *, name: str = f".deploytag/contexts/{CONTEXT}", status: str = "Error") -> str:
    ref = f"builder/builder0/{ref}"
    return json.dumps({"ref": ref, "name": name, "status": status, "created_at": f"2026-11-29T17:{created}Z"})


def script(folder: Path, name: str, body: str) -> dict[str, str]:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return {"PATH": str(folder)}


def test_buildx_alone_goes_before_docker_which_may_lack_the_plugin(tmp_path: Path) -> None:
    environ = {"PATH": str(tmp_path)}
    assert buildx.command(environ) is None
    script(tmp_path, "docker", "")
    assert buildx.command(environ) == [str(tmp_path / "docker"), "buildx"]
    script(tmp_path, "buildx", "")
    assert buildx.command(environ) == [str(tmp_path / "buildx")]


def test_the_newest_record_of_the_context_counts() -> None:
    older, newer = record("older", "57:37.9"), record("newer", "57:39.1")
    other = record("other", "58:00.0", name=".deploytag/contexts/another")
    assert buildx.failed_build("\n".join([older, newer, other]), CONTEXT) == "newer"
    assert buildx.failed_build("\n".join([newer, "WARNING: something", older]), CONTEXT) == "newer"
    # That of a file beside `Dockerfile` names both.
    assert buildx.failed_build(record("base", "57:37.9", name=f"{CONTEXT}/Dockerfile.base"), CONTEXT) == "base"


@pytest.mark.parametrize("status", ["Completed", "Running"])
def test_a_build_that_did_not_fail_last_has_nothing_to_tell(status: str) -> None:
    assert buildx.failed_build("", CONTEXT) is None
    assert buildx.failed_build(record("it", "57:37.9", name="another"), CONTEXT) is None
    listing = "\n".join([record("older", "57:37.9"), record("newer", "57:39.1", status=status)])
    assert buildx.failed_build(listing, CONTEXT) is None


@pytest.mark.parametrize("listing", ["{", "{}", '{"name": 1}', '{"name": "49a0a3d7", "created_at": "x"}'])
def test_what_is_no_list_is_said(listing: str) -> None:
    with pytest.raises(UnreachableError, match="no list of builds"):
        buildx.failed_build(listing, CONTEXT)


def test_the_log_is_read_from_the_builder_that_built(tmp_path: Path) -> None:
    said = tmp_path / "said"
    answers = f"case \"$*\" in *ls*) echo '{record('it', '57:37.9')}';; *) echo '#1 a step' >&2;; esac"
    environ = script(tmp_path, "buildx", f'echo "$*" >> {said}\n{answers}')
    assert buildx.printed("staging", CONTEXT, environ) == "#1 a step\n"
    assert said.read_text().splitlines() == [
        "history --builder staging ls --no-trunc --format json",
        "history --builder staging logs --progress plain it",
    ]
    said.unlink()
    assert buildx.printed(None, "another", environ) is None
    assert said.read_text().splitlines() == ["history ls --no-trunc --format json"]


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("echo WARNING: no buildx >&2; echo unknown command; exit 1", "said: WARNING: no buildx unknown command"),
        ("exit 1", "said: nothing"),
        ("kill -9 $$", "said: nothing"),
    ],
)
def test_a_buildx_that_does_not_answer_is_said(tmp_path: Path, body: str, complaint: str) -> None:
    with pytest.raises(UnreachableError, match=complaint):
        buildx.printed(None, CONTEXT, script(tmp_path, "buildx", body))


def test_a_buildx_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buildx, "TIMEOUT", 0.1)
    with pytest.raises(UnreachableError, match="has not answered within"):
        buildx.printed(None, CONTEXT, script(tmp_path, "buildx", "exec /bin/sleep 60"))


def test_no_buildx_and_one_that_cannot_be_run_are_said(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="no `buildx` on PATH"):
        buildx.printed(None, CONTEXT, {"PATH": str(tmp_path)})
    environ = script(tmp_path, "buildx", "")
    (tmp_path / "buildx").write_text("#!/no/such/interpreter\n")
    with pytest.raises(UnreachableError, match="cannot be run: No such file"):
        buildx.printed(None, CONTEXT, environ)


@given(st.text())
def test_what_is_told_is_understood(printed: str) -> None:
    assert understand(tell("shop-app", printed)) == ("shop-app", printed)


@given(st.text())
def test_other_messages_are_others(message: str) -> None:
    assert understand(message) is None
    assert understand(f"hello\n{tell('shop-app', message)}") is None


@given(st.text(), st.integers(1, 3))
def test_of_much_the_last_lines_are_told(text: str, times: int) -> None:
    printed = "\n".join([text, *["x" * (LIMIT // 2)] * times, "the error"])
    told = understand(tell("shop-app", printed))
    assert told is not None
    assert len(told[1]) <= LIMIT
    assert printed.endswith(told[1])
    assert told[1].endswith("\nthe error")


def test_of_one_line_that_is_too_long_the_end_is_told() -> None:
    told = understand(tell("shop-app", "x" * LIMIT + "the error"))
    assert told is not None
    assert told[1].endswith("xthe error")
