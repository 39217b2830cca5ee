"""The programs of the machine, played by small scripts, and the installed packages."""

import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from deploytag.delivery.doctor import tools
from deploytag.delivery.doctor.findings import Level
from deploytag.delivery.project import PulumiProject
from deploytag.errors import UsageError

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "bin").mkdir()
    return {"PATH": str(tmp_path / "bin")}


def command(environ: dict[str, str], name: str, prints: str = "", *, code: int = 0) -> None:
    path = Path(environ["PATH"]) / name
    path.write_text(f"#!/bin/sh\necho '{prints}'\nexit {code}\n")
    path.chmod(0o755)


def project(**options: str) -> PulumiProject:
    return PulumiProject.model_validate({"name": "shop", "runtime": {"name": "python", "options": options}})


@pytest.mark.parametrize(
    ("printed", "level"),
    [
        (f"v{version('pulumi')}", Level.OK),
        ("v3.1.0", Level.WARNING),
        ("v2.25.2", Level.PROBLEM),
        (None, Level.PROBLEM),
    ],
)
def test_the_engine_is_compared_with_the_sdk(environ: dict[str, str], printed: str | None, level: Level) -> None:
    command(environ, "pulumi-language-python")
    if printed:
        command(environ, "pulumi", printed)
    assert [finding.level for finding in tools.pulumi(environ)] == [level]


def test_an_engine_without_its_python_host_is_a_problem(environ: dict[str, str]) -> None:
    command(environ, "pulumi", f"v{version('pulumi')}")
    assert [finding.level for finding in tools.pulumi(environ)] == [Level.OK, Level.PROBLEM]


@pytest.mark.parametrize(("printed", "level"), [("v3.18.4", Level.OK), ("v4.0.1", Level.WARNING)])
def test_helm_3_is_wanted(environ: dict[str, str], printed: str, level: Level) -> None:
    command(environ, "helm", printed)
    assert [finding.level for finding in tools.helm(environ)] == [level]


def test_a_tool_that_does_not_say_its_version_is_a_sentence(environ: dict[str, str]) -> None:
    command(environ, "git", "cannot open shared object", code=127)
    with pytest.raises(UsageError, match="git does not say its version: cannot open shared object"):
        list(tools.git(environ))


def test_uv_is_needed_only_where_the_project_names_it(environ: dict[str, str]) -> None:
    assert [finding.level for finding in tools.uv(project(toolchain="pip"), environ)] == [Level.OK]
    assert [finding.level for finding in tools.uv(project(toolchain="uv"), environ)] == [Level.PROBLEM]
    command(environ, "uv", "uv 0.13.9")
    assert [finding.seen for finding in tools.uv(project(toolchain="uv"), environ)] == ["0.13.9"]


def test_what_a_lock_pins() -> None:
    lock = """
# a comment
--index-url https://example.com/simple
Pulumi_AWS==7.51.1 \\
    --hash=sha256:abc
colorama==0.4.6 ; sys_platform == 'win32'
boto3>=1.40
deploytag @ git+https://example.com/deploytag@0123
uvloop==0.21.* # not exact
jinja2==3.1.6 # pinned
"""
    assert tools.lock_versions(lock) == {"pulumi-aws": "7.51.1", "jinja2": "3.1.6"}


def test_packages_are_compared_with_the_checkouts_own_lock(tmp_path: Path) -> None:
    lock = tmp_path / tools.LOCK
    lock.parent.mkdir()
    lock.write_text(f"pulumi=={version('pulumi')}\n")
    assert [finding.level for finding in tools.packages(tmp_path)] == [Level.OK]
    lock.write_text("pulumi==1.0.0\n")
    (other,) = tools.packages(tmp_path)
    assert other.level is Level.WARNING
    assert f"pulumi {version('pulumi')} (locked: 1.0.0)" in other.seen
    lock.write_text("no-such-package-anywhere==1.0.0\n")
    (missing,) = tools.packages(tmp_path)
    assert (missing.level, "missing (locked: 1.0.0)" in missing.seen) == (Level.PROBLEM, True)


def test_the_cure_installs_the_lock_that_was_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped, own = tmp_path / "shipped.txt", tmp_path / tools.LOCK
    monkeypatch.setattr(tools, "SHIPPED_LOCK", shipped)
    shipped.write_text("pulumi==1.0.0\n")
    (finding,) = tools.packages(tmp_path)
    assert finding.cure == f"Install them: `{sys.executable} -m pip install -r {shipped}`."
    own.parent.mkdir()
    own.write_text("pulumi==1.0.0\n")
    (finding,) = tools.packages(tmp_path)
    assert finding.cure == f"Install them: `{sys.executable} -m pip install -r {own}`."


def test_the_shipped_lock_is_the_exported_one() -> None:
    assert tools.SHIPPED_LOCK.read_text() == (REPOSITORY / "requirements.txt").read_text()


def test_the_environment_of_the_program_is_this_one(tmp_path: Path) -> None:
    def level(**options: str) -> Level:
        (finding,) = tools.environment(tmp_path, project(**options))
        return finding.level

    assert level() is Level.WARNING
    assert level(virtualenv=".venv") is Level.PROBLEM
    (tmp_path / ".venv").symlink_to(sys.prefix)
    assert level(virtualenv=".venv") is Level.OK
    other = tmp_path / "other" / "bin"
    other.mkdir(parents=True)
    (other / "python").touch()
    assert level(virtualenv="other") is Level.WARNING


def test_a_builder_is_asked_through_buildx_where_it_has_no_address(environ: dict[str, str], tmp_path: Path) -> None:
    environ |= {"BUILDX_CONFIG": str(tmp_path)}
    current = PulumiProject(name="shop", runtime="python")
    assert [finding.level for finding in tools.builder(current, environ)] == [Level.WARNING]
    command(environ, "docker", "Name: desktop-linux")
    assert [finding.seen for finding in tools.builder(current, environ)] == ["desktop-linux"]
    command(environ, "buildx", "no builder", code=1)
    assert [finding.seen for finding in tools.builder(current, environ)] == ["buildx has no usable builder: no builder"]
