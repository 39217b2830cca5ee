"""The chart that is staged: its dependencies from the repository inside it, as they are now."""

import io
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from deploytag.content import StagedTree, stage_chart
from deploytag.errors import ContentError
from tests.unit.checkout import Checkout


def chart(name: str, *dependencies: dict[str, str], version: str = "1.0.0") -> dict[str, str]:
    """A chart's files below `charts/<name>/`; its one template shows a value, so that an edit can be seen."""
    about = {"apiVersion": "v2", "name": name, "version": version, "dependencies": list(dependencies)}
    template = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{edition: first}}\n"
    return {
        f"charts/{name}/Chart.yaml": yaml.safe_dump(about),
        f"charts/{name}/values.yaml": "",
        f"charts/{name}/templates/map.yaml": template,
    }


def on(name: str, repository: str | None = None, version: str = "1.0.0") -> dict[str, str]:
    return {"name": name, "version": version, "repository": f"file://../{name}" if repository is None else repository}


def archive(name: str, version: str = "1.0.0") -> bytes:
    """A packed chart, as `helm dependency build` leaves it in `charts/`."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for path, text in chart(name, version=version).items():
            info = tarfile.TarInfo(path.removeprefix("charts/"))
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return packed.getvalue()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "trees"


@pytest.fixture
def charts(checkout: Checkout) -> Checkout:
    """`app` needs `redis`, which needs `common`: all in the repository."""
    checkout.track(chart("app", on("redis")) | chart("redis", on("common")) | chart("common"))
    return checkout


def names(tree: StagedTree) -> set[str]:
    return {str(path.relative_to(tree.path)) for path in tree.path.rglob("*") if path.is_file()}


FILES = {"Chart.yaml", "values.yaml", "templates/map.yaml"}
REDIS = {f"charts/redis/{name}" for name in FILES}
COMMON = {f"charts/redis/charts/common/{name}" for name in FILES}


def test_dependencies_in_the_repository_are_unpacked_inside(charts: Checkout, root: Path) -> None:
    tree = stage_chart(charts.path, "charts/app", root)
    assert tree.path == root / tree.digest
    assert names(tree) == FILES | REDIS | COMMON


def test_an_edited_dependency_is_another_chart(charts: Checkout, root: Path) -> None:
    before = stage_chart(charts.path, "charts/app", root)
    charts.write("charts/common/values.yaml", "edited: true\n")
    after = stage_chart(charts.path, "charts/app", root)
    assert after.digest != before.digest
    assert (after.path / "charts/redis/charts/common/values.yaml").read_text() == "edited: true\n"


def test_stale_copies_of_a_dependency_are_replaced(charts: Checkout, root: Path) -> None:
    clean = stage_chart(charts.path, "charts/app", root)
    for stale in ("redis-0.9.0.tgz", "redis-1.0.0.tgz", "redis/templates/old.yaml"):
        charts.track({f"charts/app/charts/{stale}": "stale"})
    charts.write("charts/app/charts/untracked.tgz", "stale")
    assert stage_chart(charts.path, "charts/app", root) == clean


def test_another_chart_of_a_similar_name_stays(charts: Checkout, root: Path) -> None:
    charts.track({"charts/app/charts/redis-cluster-1.0.0.tgz": "other"})
    assert "charts/redis-cluster-1.0.0.tgz" in names(stage_chart(charts.path, "charts/app", root))


def test_a_lock_file_changes_nothing(charts: Checkout, root: Path) -> None:
    """It says when it was made, and what it pins is in the tree."""
    without = stage_chart(charts.path, "charts/app", root)
    charts.track({"charts/app/Chart.lock": "generated: now\n", "charts/redis/Chart.lock": "generated: now\n"})
    assert stage_chart(charts.path, "charts/app", root) == without


def test_a_packed_dependency_from_elsewhere_need_not_be_tracked(checkout: Checkout, root: Path) -> None:
    checkout.track(chart("app", on("postgres", "https://charts.example/")) | {"charts/app/.gitignore": "charts/\n"})
    packed = checkout.path / "charts/app/charts/postgres-1.0.0.tgz"
    packed.parent.mkdir()
    packed.write_bytes(archive("postgres"))
    tree = stage_chart(checkout.path, "charts/app", root)
    assert names(tree) == FILES | {".gitignore", "charts/postgres-1.0.0.tgz"}


def test_a_dependency_kept_in_the_chart_is_there(checkout: Checkout, root: Path) -> None:
    inside = {f"charts/app/{name}": text for name, text in chart("redis").items()}
    checkout.track(chart("app", on("redis", "")) | inside)
    assert names(stage_chart(checkout.path, "charts/app", root)) == FILES | REDIS


def test_a_chart_of_helm_2_has_its_requirements_apart(checkout: Checkout, root: Path) -> None:
    requirements = yaml.safe_dump({"dependencies": [on("redis")]})
    old = {"charts/app/Chart.yaml": "apiVersion: v1\nname: app\nversion: 1.0.0\n"}
    checkout.track(chart("app") | old | {"charts/app/requirements.yaml": requirements} | chart("redis"))
    assert names(stage_chart(checkout.path, "charts/app", root)) == FILES | REDIS | {"requirements.yaml"}


def link(checkout: Checkout, path: str, target: str) -> None:
    """A symbolic link in the chart `app` that git tracks."""
    place = checkout.path / "charts/app" / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)
    checkout.git("add", "--", str(place))


def _link_through_a_link(checkout: Checkout) -> None:
    """Each of the two stays inside by its text; the system follows `deep/er/up` before it goes up any further."""
    link(checkout, "deep/er/up", "../..")
    link(checkout, "outside", "deep/er/up/../../redis/values.yaml")


def _link_in_place_of_a_folder(checkout: Checkout) -> None:
    """The dependency's files would be written to wherever it leads."""
    link(checkout, "charts", "templates")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda checkout: checkout.track(chart("app", on("postgres", "https://charts.example/"))),
            "The chart charts/app depends on postgres 1.0.0 from https://charts.example/, which is not in "
            "charts/app/charts. Run `helm dependency build charts/app` before this.",
        ),
        (
            lambda checkout: checkout.track(chart("app", on("redis", ""))),
            "depends on redis 1.0.0 from its own charts/ directory, which is not in charts/app/charts",
        ),
        (
            lambda checkout: checkout.track(chart("app", on("nowhere"))),
            "There is no Helm chart at charts/nowhere",
        ),
        (
            lambda checkout: checkout.track(chart("app", on("redis", "file://../../../redis"))),
            "depends on redis at file://../../../redis, which is outside of the repository",
        ),
        (
            lambda checkout: checkout.track(chart("app", on("redis", version="2.0.0"))),
            "depends on redis 2.0.0, but charts/redis is version 1.0.0. Make the two equal",
        ),
        (
            lambda checkout: checkout.track(chart("common", on("app"))),
            "in a circle: charts/app -> charts/redis -> charts/common -> charts/app.",
        ),
        (lambda checkout: shutil.rmtree(checkout.path / "charts/app"), "There is no Helm chart at charts/app"),
        (lambda checkout: checkout.git("rm", "-q", "-r", "--cached", "charts/app"), "Run `git add charts/app`."),
        (
            lambda checkout: checkout.write("charts/app/Chart.yaml", "a: ["),
            "charts/app/Chart.yaml cannot be read as YAML",
        ),
        (
            lambda checkout: checkout.write("charts/app/Chart.yaml", "- a"),
            "charts/app/Chart.yaml does not hold a mapping",
        ),
        (lambda checkout: checkout.write("charts/app/Chart.yaml", "dependencies: x"), "are not a list of entries"),
        (lambda checkout: checkout.write("charts/app/Chart.yaml", "dependencies: [x]"), "are not a list of entries"),
        (
            lambda checkout: checkout.write("charts/app/Chart.yaml", "dependencies: [{name: ../../x}]"),
            "are not a list of entries",
        ),
        (
            lambda checkout: link(checkout, "outside", "../redis/values.yaml"),
            "charts/app: outside is a symbolic link that leaves the chart",
        ),
        (
            lambda checkout: link(checkout, "outside", "/etc/hostname"),
            "outside is a symbolic link that leaves the chart",
        ),
        (_link_through_a_link, "outside is a symbolic link that leaves the chart"),
        (_link_in_place_of_a_folder, "charts/redis/Chart.yaml would lie below charts, which is a symbolic link"),
    ],
)
def test_what_cannot_be_installed_is_a_sentence(
    charts: Checkout, root: Path, change: Callable[[Checkout], object], sentence: str
) -> None:
    change(charts)
    with pytest.raises(ContentError) as caught:
        stage_chart(charts.path, "charts/app", root)
    assert sentence in str(caught.value)
    assert not list(root.glob(".tmp-*")), "nothing half-made"


def test_links_inside_of_the_chart_are_staged(charts: Checkout, root: Path) -> None:
    link(charts, "templates/again.yaml", "map.yaml")
    link(charts, "deep/er/up", "../..")
    link(charts, "more.yaml", "deep/er/up/values.yaml")
    tree = stage_chart(charts.path, "charts/app", root)
    assert (tree.path / "templates/again.yaml").readlink() == Path("map.yaml")
    assert (tree.path / "more.yaml").read_text() == ""


def test_a_link_in_place_of_a_dependency_gives_way_to_its_files(charts: Checkout, root: Path) -> None:
    clean = stage_chart(charts.path, "charts/app", root)
    link(charts, "charts/redis", "../../redis")
    assert stage_chart(charts.path, "charts/app", root) == clean


def test_a_description_that_lies_elsewhere_is_not_read(charts: Checkout, root: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "private.yaml"
    elsewhere.write_text(yaml.safe_dump({"dependencies": [{"name": "x", "version": "s3cret-token"}]}))
    (charts.path / "charts/app/Chart.yaml").unlink()
    link(charts, "Chart.yaml", str(elsewhere))
    with pytest.raises(ContentError, match=r"Chart\.yaml is a link out of the repository"):
        stage_chart(charts.path, "charts/app", root)


@pytest.mark.toolchain
def test_the_real_helm_renders_what_is_staged(charts: Checkout, root: Path, tmp_path: Path) -> None:
    helm = shutil.which("helm")
    if helm is None:
        pytest.fail("no `helm` on PATH: `make test` builds the toolchain, and `make -s env` prints its PATH")
    charts.track(chart("app", on("redis", version="1.x.x"), on("postgres", "https://charts.example/")))
    stale = charts.path / "charts/app/charts/redis-1.0.0.tgz"
    stale.parent.mkdir()
    stale.write_bytes(archive("redis"))
    (stale.parent / "postgres-1.0.0.tgz").write_bytes(archive("postgres"))
    charts.track({"charts/app/Chart.lock": "dependencies: []\ndigest: sha256:0\ngenerated: now\n"})
    template = charts.path / "charts/redis/templates/map.yaml"
    template.write_text(template.read_text().replace("first", "second"))
    tree = stage_chart(charts.path, "charts/app", root)
    homes = {f"HELM_{kind}_HOME": str(tmp_path / kind) for kind in ("CACHE", "CONFIG", "DATA")}
    done = subprocess.run(
        [helm, "template", "x", str(tree.path)], capture_output=True, text=True, env=homes, check=False
    )
    assert done.returncode == 0, done.stderr
    rendered = {one["metadata"]["name"]: one["data"]["edition"] for one in yaml.safe_load_all(done.stdout)}
    assert rendered == {"app": "first", "redis": "second", "common": "first", "postgres": "first"}
