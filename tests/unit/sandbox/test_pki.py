import base64
import datetime
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from sandbox import pki
from sandbox.config import Config
from sandbox.layout import Layout

NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    pki.prepare(Config(), made, NOW)
    return made


def contents(layout: Layout) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for folder in (layout.pki, layout.kubeconfigs) for path in folder.iterdir()}


def test_a_second_time_changes_nothing(layout: Layout) -> None:
    before = contents(layout)
    pki.prepare(Config(), layout, NOW + datetime.timedelta(days=1))
    assert contents(layout) == before


def test_another_address_makes_new_certificates_and_keeps_the_authorities(layout: Layout) -> None:
    before = contents(layout)
    pki.prepare(Config.model_validate({"subnet": "10.9.0.0/24"}), layout, NOW)
    after = contents(layout)
    assert after["apiserver.crt"] != before["apiserver.crt"]
    for kept in ("ca.crt", "ca.key", "front.crt", "front.key", "sa.key", "sa.pub"):
        assert after[kept] == before[kept]
    assert "https://10.9.0.1:6443" in (layout.kubeconfigs / "admin.yaml").read_text()


def test_an_interrupted_run_is_finished_by_the_next(layout: Layout) -> None:
    (layout.pki / "done").unlink()
    (layout.pki / "admin.crt").unlink()
    pki.prepare(Config(), layout, NOW)
    assert (layout.pki / "admin.crt").exists()


def test_the_api_server_is_known_by_every_name_it_is_called(layout: Layout) -> None:
    certificate = x509.load_pem_x509_certificate((layout.pki / "apiserver.crt").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    }
    assert {str(address) for address in names.get_values_for_type(x509.IPAddress)} == {"172.30.0.1", "10.96.0.1"}


def test_every_certificate_is_signed_by_its_authority(layout: Layout) -> None:
    for subject in pki.subjects(Config()):
        authority = x509.load_pem_x509_certificate((layout.pki / f"{subject.authority}.crt").read_bytes())
        x509.load_pem_x509_certificate((layout.pki / f"{subject.name}.crt").read_bytes()).verify_directly_issued_by(
            authority
        )


def test_private_files_are_private(layout: Layout) -> None:
    assert {path.stat().st_mode & 0o077 for path in layout.pki.glob("*.key")} == {0}
    assert {path.stat().st_mode & 0o077 for path in layout.kubeconfigs.iterdir()} == {0}


def test_a_kubeconfig_needs_no_other_file(layout: Layout) -> None:
    config = yaml.safe_load((layout.kubeconfigs / "admin.yaml").read_text())
    assert config["current-context"] == config["contexts"][0]["name"] == "deploytag-sandbox"
    inside = config["users"][0]["user"]["client-certificate-data"]
    assert base64.b64decode(inside) == (layout.pki / "admin.crt").read_bytes()
