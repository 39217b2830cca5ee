"""Each pipeline that `deploytag init` writes, from a push to a branch that is gone, by the shell its vendor runs."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploytag.identity import identify
from tests.e2e.delivery.applications import application, initialise, project_of_its_own
from tests.e2e.delivery.pipelines import GitHub, GitLab, Server, Vendor
from tests.e2e.program.checkout import REPOSITORY, Checkout
from tests.e2e.program.inventory import kubectl

pytestmark = [pytest.mark.e2e, pytest.mark.sampled(1)]


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> str:
    """This very DeployTag as something that pip builds and installs."""
    folder = tmp_path_factory.mktemp("package")
    uv = Path(sys.prefix, "bin", "uv")
    subprocess.run([uv, "build", "--quiet", "--sdist", "--out-dir", folder, REPOSITORY], check=True)
    (archive,) = folder.glob("*.tar.gz")
    return f"deploytag @ file://{archive}"


@pytest.fixture(name="application")
def _application(tmp_path: Path) -> Iterator[Checkout]:
    with application(tmp_path) as it:
        yield it


@pytest.fixture(name="project")
def _project(application: Checkout) -> Iterator[str]:
    with project_of_its_own() as name:
        try:
            yield name
        finally:
            # What a test that failed left.
            for ref in REFS:
                application.run("deploytag", "destroy", ref)


FIRST, SECOND = REFS = ("feature/first", "feature/second")


def initialised(it: Checkout, project: str, package: str, ci: str) -> str:
    """The repository with that pipeline on its default branch; the commit."""
    initialise(it, project, ci, "--package", package)
    return it.must("git", "rev-parse", "HEAD").strip()


def served(said: str, ref: str, revision: str) -> str:
    """The URL that a run named at its end, which answers with the commit."""
    found = re.findall(rf"{ref} is deployed: (http://\S+)", said)
    assert found, said
    assert httpx.get(found[-1], timeout=10).text == f"{ref} at {revision}\n"
    return str(found[-1])


def there(project: str, ref: str) -> bool:
    """Whether the branch has anything: its namespace is made first and goes last."""
    name = identify(project, ref).namespace
    return bool(kubectl("get", "namespace", name, "--ignore-not-found", "-o", "name").strip())


def gone_when_deleted_and_in_the_night(vendor: Vendor, project: str, revision: str) -> None:
    """The branch that is there goes with its deletion; one whose end nobody was told of, with the nightly run."""
    assert f"{FIRST} is gone" in vendor.deleted(FIRST)
    assert not there(project, FIRST)
    served(vendor.pushed(SECOND), SECOND, revision)
    vendor.delete_unnoticed(SECOND)
    assert there(project, SECOND)
    said = vendor.nightly()
    assert not there(project, SECOND), said


def test_github(application: Checkout, project: str, package: str, tmp_path: Path) -> None:
    revision = initialised(application, project, package, "github")
    vendor = GitHub(application, tmp_path)
    url = served(vendor.pushed(FIRST), FIRST, revision)
    assert "an environment lives as long as its branch" in vendor.closed(FIRST)
    vendor.hourly("deploytag-feature")
    assert httpx.get(url, timeout=10).text == f"{FIRST} at {revision}\n"
    gone_when_deleted_and_in_the_night(vendor, project, revision)


def test_gitlab(application: Checkout, project: str, package: str, tmp_path: Path) -> None:
    revision = initialised(application, project, package, "gitlab")
    vendor = GitLab(application, tmp_path)
    served(vendor.pushed(FIRST), FIRST, revision)
    gone_when_deleted_and_in_the_night(vendor, project, revision)


def test_a_git_server(application: Checkout, project: str, package: str, tmp_path: Path) -> None:
    revision = initialised(application, project, package, "shell")
    vendor = Server(application, tmp_path)
    vendor.set_up()
    served(vendor.pushed(FIRST), FIRST, revision)
    gone_when_deleted_and_in_the_night(vendor, project, revision)
