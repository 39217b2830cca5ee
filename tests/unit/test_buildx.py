"""buildx, played by a small script, and what is made of its answers."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytag import buildx
from deploytag.build_message import LIMIT, tell, understand
from deploytag.buildx import Build
from deploytag.docker_folders import buildx_folder
from deploytag.errors import UnreachableError
from deploytag.redaction import REDACTED, learn
from tests.buildx import write_down

BEGUN = 1_700_000_000
"""The UNIX time at which the build that is asked about may have begun at the earliest."""


@pytest.fixture
def context(tmp_path: Path) -> Path:
    return tmp_path / "contexts" / "49a0a3d7"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Of a machine without buildx."""
    return {"PATH": str(tmp_path), "BUILDX_CONFIG": str(tmp_path / "buildx-config")}


def begun(environ: dict[str, str], ref: str, context: Path, *, when: float = BEGUN) -> Path:
    return write_down(buildx_folder(environ), context, ref=ref, when=when)


def script(environ: dict[str, str], name: str, body: str = "") -> None:
    path = Path(environ["PATH"]) / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_buildx_alone_goes_before_docker_which_may_lack_the_plugin(environ: dict[str, str]) -> None:
    assert buildx.command(environ) is None
    script(environ, "docker")
    assert buildx.command(environ) == [f"{environ['PATH']}/docker", "buildx"]
    script(environ, "buildx")
    assert buildx.command(environ) == [f"{environ['PATH']}/buildx"]


def test_buildx_keeps_what_it_knows_where_it_is_told_to() -> None:
    assert buildx_folder({"HOME": "/home/me"}) == Path("/home/me/.docker/buildx")
    assert buildx_folder({"HOME": "/home/me", "DOCKER_CONFIG": "/docker"}) == Path("/docker/buildx")
    assert buildx_folder({"DOCKER_CONFIG": "/docker", "BUILDX_CONFIG": "/buildx"}) == Path("/buildx")


def test_it_is_the_last_build_of_that_folder(environ: dict[str, str], context: Path) -> None:
    def last() -> Build | None:
        return buildx.last_build(buildx_folder(environ), context, BEGUN)

    assert last() is None
    begun(environ, "another", context.with_name("another"), when=BEGUN + 9)
    begun(environ, "earlier run's", context, when=BEGUN - 1)
    assert last() is None
    begun(environ, "first", context)
    assert last() == Build("staging", "first")
    begun(environ, "second", context, when=BEGUN + 0.5)
    assert last() == Build("staging", "second")


def test_a_folder_that_is_named_relatively_is_the_same(
    environ: dict[str, str], context: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(environ, "it", context)
    monkeypatch.chdir(context.parent.parent)
    assert buildx.last_build(buildx_folder(environ), Path("contexts", context.name), BEGUN) == Build("staging", "it")


@pytest.mark.parametrize("written", ["", "{", "[]", "{}", '{"LocalPath": 1}', "\ud800"])
def test_what_is_written_down_otherwise_is_no_build_of_it(environ: dict[str, str], context: Path, written: str) -> None:
    path = begun(environ, "it", context)
    path.write_bytes(written.encode(errors="surrogatepass"))
    assert buildx.last_build(buildx_folder(environ), context, BEGUN) is None


def test_the_log_is_read_from_the_builder_that_built(environ: dict[str, str], context: Path) -> None:
    begun(environ, "it", context)
    script(environ, "buildx", 'echo "#1 $*" >&2')
    told = buildx.printed(context, BEGUN, environ)
    assert told == "#1 history --builder staging logs --progress plain it\n"


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("echo WARNING: no buildx >&2; echo unknown command; exit 1", "said: WARNING: no buildx unknown command$"),
        ("exit 1", "said: nothing$"),
        ("kill -9 $$", "said: nothing$"),
    ],
)
def test_a_buildx_that_does_not_answer_is_said(
    environ: dict[str, str], context: Path, body: str, complaint: str
) -> None:
    begun(environ, "it", context)
    script(environ, "buildx", body)
    with pytest.raises(UnreachableError, match=complaint):
        buildx.printed(context, BEGUN, environ)


def test_of_a_long_complaint_the_end_is_said_and_no_part_of_a_value(environ: dict[str, str], context: Path) -> None:
    value = "a value that a build mounts, and prints 1d7b"
    learn([value])
    begun(environ, "it", context)
    script(environ, "buildx", f"i=0; while [ $i -lt 50 ]; do i=$((i+1)); echo {value}; done; echo refused; exit 1")
    with pytest.raises(UnreachableError, match=r"refused$") as refused:
        buildx.printed(context, BEGUN, environ)
    assert set(str(refused.value).partition("said: ")[2].split()[1:-1]) == {REDACTED}


def test_a_buildx_that_hangs_is_given_up(
    environ: dict[str, str], context: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buildx, "TIMEOUT", 0.1)
    begun(environ, "it", context)
    script(environ, "buildx", "exec /bin/sleep 60")
    with pytest.raises(UnreachableError, match="has not ended within"):
        buildx.printed(context, BEGUN, environ)


def test_no_build_no_buildx_and_one_that_cannot_be_run_are_said(environ: dict[str, str], context: Path) -> None:
    with pytest.raises(UnreachableError, match="written down no build of it"):
        buildx.printed(context, BEGUN, environ)
    begun(environ, "it", context)
    with pytest.raises(UnreachableError, match="no `buildx` on PATH"):
        buildx.printed(context, BEGUN, environ)
    script(environ, "buildx")
    Path(environ["PATH"], "buildx").write_text("#!/no/such/interpreter\n")
    with pytest.raises(UnreachableError, match="cannot be run: No such file"):
        buildx.printed(context, BEGUN, environ)


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
