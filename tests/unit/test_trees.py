"""The trees of an environment: what is opened by its name lies inside of them."""

from pathlib import Path

import pytest

from deploytag.errors import ContentError
from deploytag.settings import ApplicationSettings
from deploytag.trees import stage
from tests.unit.checkout import Checkout

SETTINGS = ApplicationSettings.model_validate({"images": {"app": {"context": ["app"]}}})


@pytest.fixture
def filled(checkout: Checkout) -> Checkout:
    checkout.track(
        {
            "Dockerfile": "FROM scratch\n",
            "Dockerfile.base": "FROM scratch\n",
            "app/main.py": "",
            "charts/app/Chart.yaml": "{apiVersion: v2, name: app, version: 1.0.0}",
        }
    )
    return checkout


def link(checkout: Checkout, name: str, target: str) -> None:
    """A symbolic link that git tracks, in place of what was there."""
    (checkout.path / name).unlink(missing_ok=True)
    (checkout.path / name).symlink_to(target)
    checkout.git("add", "--", name)


@pytest.mark.parametrize("target", ["/etc/hostname", "app/up/../../../outside"])
def test_a_dockerfile_that_leads_out_of_its_context_is_refused(filled: Checkout, tmp_path: Path, target: str) -> None:
    link(filled, "app/up", ".")
    link(filled, "Dockerfile", target)
    with pytest.raises(ContentError, match="Dockerfile is a symbolic link to what its build does not see"):
        stage(filled.path, SETTINGS, tmp_path / "trees")


def test_other_links_of_a_context_are_the_images_own(filled: Checkout, tmp_path: Path) -> None:
    filled.track({"app/Dockerfile": "FROM scratch\n"})
    link(filled, "Dockerfile", "app/Dockerfile")
    link(filled, "app/python", "/usr/bin/python3")
    trees = stage(filled.path, SETTINGS, tmp_path / "trees")
    assert (trees.app.path / "app/python").readlink() == Path("/usr/bin/python3")
    assert (trees.app.path / "Dockerfile").read_text() == "FROM scratch\n"
