"""Keys, certificates and kubeconfigs of the cluster.

The authorities and the service account key are made once and live as long as the sandbox's data: what is stored in the
cluster was signed with them. Certificates are made again when a name or address in them changes or their end is near.
"""

import base64
import datetime
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sandbox.config import CLUSTER, NODE, Config
from sandbox.layout import Layout

YEARS = datetime.timedelta(days=3650)


@dataclass(frozen=True)
class Subject:
    """One holder of a certificate."""

    name: str  # of the files
    common_name: str
    organization: str = ""
    authority: str = "ca"
    # Names and addresses of a server; a holder without any is a client.
    serves: tuple[str, ...] = ()
    kubeconfig: bool = False


def subjects(config: Config) -> tuple[Subject, ...]:
    """Everybody in the cluster who proves who they are."""
    service = ["kubernetes", "default", "svc", "cluster", "local"]
    names = tuple(".".join(service[:length]) for length in (1, 2, 3, 5))
    return (
        Subject("apiserver", "kube-apiserver", serves=(*names, str(config.node), str(config.kubernetes_service))),
        Subject("kubelet-server", NODE, serves=(NODE, str(config.node))),
        Subject("apiserver-kubelet", "kube-apiserver-kubelet-client", "system:masters"),
        Subject("front-client", "front-proxy-client", authority="front"),
        Subject("admin", "admin", "system:masters", kubeconfig=True),
        Subject("deploytag", "deploytag", kubeconfig=True),
        Subject("controller-manager", "system:kube-controller-manager", kubeconfig=True),
        Subject("scheduler", "system:kube-scheduler", kubeconfig=True),
        Subject("kube-proxy", "system:kube-proxy", kubeconfig=True),
        Subject("kubelet", f"system:node:{NODE}", "system:nodes", kubeconfig=True),
        Subject("coredns", "sandbox:coredns", kubeconfig=True),
        Subject("network-policies", "sandbox:network-policies", kubeconfig=True),
        Subject("loadbalancer", "sandbox:loadbalancer", kubeconfig=True),
    )


def prepare(config: Config, layout: Layout, now: datetime.datetime) -> None:
    """Make what is missing or no longer fits."""
    layout.pki.mkdir(parents=True, exist_ok=True, mode=0o700)
    layout.kubeconfigs.mkdir(exist_ok=True, mode=0o700)
    for name in ("ca", "front"):
        if not (layout.pki / f"{name}.crt").exists():
            _authority(layout.pki, name, now)
    if not (layout.pki / "sa.pub").exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        _write(layout.pki / "sa.key", _private(key))
        _write(layout.pki / "sa.pub", _public(key))
    wanted = _fingerprint(subjects(config), config, (layout.pki / "ca.crt").read_bytes(), now)
    done = layout.pki / "done"
    if not done.exists() or done.read_text() != wanted:
        for subject in subjects(config):
            _issue(layout, config, subject, now)
        # Last, so that an interrupted run starts over.
        _write(done, wanted.encode())


def _fingerprint(holders: Iterable[Subject], config: Config, authority: bytes, now: datetime.datetime) -> str:
    # A new year makes new certificates, long before the old ones end.
    facts = repr((list(holders), config.api_url, now.year)).encode()
    return hashlib.sha256(facts + authority).hexdigest()


def _authority(folder: Path, name: str, now: datetime.datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{CLUSTER}-{name}")])
    certificate = (
        _certificate(subject, subject, key, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(folder / f"{name}.key", _private(key))
    _write(folder / f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM))


def _issue(layout: Layout, config: Config, subject: Subject, now: datetime.datetime) -> None:
    issuer_key = serialization.load_pem_private_key((layout.pki / f"{subject.authority}.key").read_bytes(), None)
    issuer = x509.load_pem_x509_certificate((layout.pki / f"{subject.authority}.crt").read_bytes())
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)  # noqa: S101 - _authority made it
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.NameAttribute(NameOID.COMMON_NAME, subject.common_name)]
    if subject.organization:
        names.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, subject.organization))
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if subject.serves else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        _certificate(x509.Name(names), issuer.subject, key, now)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    if subject.serves:
        builder = builder.add_extension(x509.SubjectAlternativeName(_alternatives(subject.serves)), critical=False)
    certificate = builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    _write(layout.pki / f"{subject.name}.key", _private(key))
    _write(layout.pki / f"{subject.name}.crt", certificate)
    if subject.kubeconfig:
        authority = (layout.pki / "ca.crt").read_bytes()
        text = kubeconfig(config.api_url, authority, subject.common_name, certificate, _private(key))
        _write(layout.kubeconfigs / f"{subject.name}.yaml", text.encode())


def kubeconfig(server: str, authority: bytes, user: str, certificate: bytes, key: bytes) -> str:
    """A kubeconfig that needs no other file."""

    def encoded(data: bytes) -> str:
        return base64.b64encode(data).decode()

    cluster = {"server": server, "certificate-authority-data": encoded(authority)}
    credentials = {"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": CLUSTER, "cluster": cluster}],
            "users": [{"name": user, "user": credentials}],
            "contexts": [{"name": CLUSTER, "context": {"cluster": CLUSTER, "user": user}}],
            "current-context": CLUSTER,
        },
        sort_keys=False,
    )


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Virtual machines wake up with clocks that are a little behind.
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + YEARS)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    off = dict.fromkeys(
        ("content_commitment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
    )
    return x509.KeyUsage(digital_signature=True, key_encipherment=not signs, key_cert_sign=signs, crl_sign=signs, **off)


def _alternatives(names: Iterable[str]) -> list[x509.GeneralName]:
    def one(name: str) -> x509.GeneralName:
        try:
            return x509.IPAddress(ip_address(name))
        except ValueError:
            return x509.DNSName(name)

    return [one(name) for name in names]


def _private(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f"{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(path)
