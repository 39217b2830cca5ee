"""What a chart hides from a reader of its templates, rendered by the real Helm."""

from pathlib import Path

import pytest

from deploytag.errors import ContentError
from deploytag.preflight import chart
from deploytag.settings import Isolation

pytestmark = pytest.mark.toolchain

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec: {type: LoadBalancer, ports: [{port: 80}]}\n"
OPEN = "metadata: {name: open}\nspec: {podSelector: {}, egress: [{}]}\n"
"""The rest of a network policy that opens everything, whatever its kind is said to be."""


def written(folder: Path, files: dict[str, str]) -> Path:
    """A chart that has an address, and these files."""
    about = {"Chart.yaml": "{apiVersion: v2, name: app, version: 1.0.0}", "templates/service.yaml": SERVICE}
    for name, text in (about | files).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize(
    ("file", "text", "complaint"),
    [
        ("templates/open.yaml", f"kind: NetworkPolicy\n{OPEN}", "its NetworkPolicy open lets pods connect"),
        ("crds/open.yaml", f"kind: NetworkPolicy\n{OPEN}", "its NetworkPolicy open lets pods connect"),
        ("templates/open.yaml", f"kind: !!binary TmV0d29ya1BvbGljeQ==\n{OPEN}", r"a tag \(`!!binary`\)"),
        ("templates/open.yaml", f"kind: ConfigMap\n<<: {{kind: NetworkPolicy}}\n{OPEN}", "the key `<<`"),
        (
            "templates/open.yaml",
            f"kind: NetworkPolicy\n{OPEN}".replace("{}]", "null]"),
            "lets pods connect to everything",
        ),
        ("templates/open.yaml", f"kind: NetworkPolicy\n{OPEN}kind: ConfigMap\n", "the key kind, there twice"),
        # What is in `crds` Helm prints as it is, and Kubernetes splits it.
        ("crds/open.yaml", f"kind: NetworkPolicy\n{OPEN}---#x: y\nkind: ConfigMap\n", "begins with `---` and goes on"),
        ("crds/open.yaml", f"kind: ConfigMap\n---\n\ufeffkind: NetworkPolicy\n{OPEN}", "a byte order mark"),
        (
            "templates/open.yaml",
            "kind: ConfigMap\nmetadata: {name: x}\nitems: [{kind: NetworkPolicy, spec: {egress: [{}]}}]\n",
            "its NetworkPolicy None lets pods connect to everything",
        ),
    ],
)
def test_it_is_refused_wherever_and_however_it_says_it(tmp_path: Path, file: str, text: str, complaint: str) -> None:
    with pytest.raises(ContentError, match=complaint):
        chart.check(written(tmp_path, {file: f"apiVersion: v1\n{text}"}), "shop", "shop", {}, Isolation())


def test_a_chart_that_hides_nothing_passes(tmp_path: Path) -> None:
    plain = {
        "templates/map.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: '<<', b: '!!binary'}\n"
    }
    chart.check(written(tmp_path, plain), "shop", "shop", {}, Isolation())
