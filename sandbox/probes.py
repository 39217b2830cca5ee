"""Whether each part really answers: the one question that `up` waits for and `status` shows."""

import os
import socket
import ssl
import subprocess
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

from sandbox.aws import ACCESS_KEY
from sandbox.config import NODE, Config
from sandbox.database import ADMINISTRATOR
from sandbox.layout import Layout
from sandbox.patience import NotYetError

SECONDS = 2.0


class Probes:
    """One question per part; the answer is silence, or NotYetError with what is missing.

    etcd is asked through the API server, and nobody can ask the load balancer: their state has to do.
    """

    def __init__(self, config: Config, layout: Layout, toolchain: Path) -> None:
        """Ask nothing yet."""
        self._config = config
        self._layout = layout
        self._toolchain = toolchain

    def of(self, part: str) -> Callable[[], None] | None:
        """The question for a part."""
        questions: dict[str, Callable[[], None]] = {
            "apiserver": self._apiserver,
            "controller-manager": lambda: self._healthy(f"https://{self._config.node}:10257/healthz"),
            "scheduler": lambda: self._healthy(f"https://{self._config.node}:10259/healthz"),
            "containerd": self._containerd,
            "kubelet": self._node,
            "kube-proxy": lambda: self._healthy(f"http://{self._config.node}:10256/healthz"),
            "network-policies": lambda: self._healthy(f"http://{self._config.node}:10258/"),
            "coredns": self._name_resolves,
            "registry": lambda: self._healthy(f"http://{self._config.registry}/v2/"),
            "buildkit": self._buildkit,
            "postgres": self._database,
            "aws": self._secrets,
        }
        return questions.get(part)

    @cached_property
    def _api(self) -> httpx.Client:
        context = ssl.create_default_context(cafile=self._layout.pki / "ca.crt")
        context.load_cert_chain(self._layout.pki / "admin.crt", self._layout.pki / "admin.key")
        return httpx.Client(base_url=self._config.api_url, verify=context, timeout=SECONDS, trust_env=False)

    def _get(self, url: str) -> Any:
        return _answer(lambda: self._api.get(url)).json()

    def _apiserver(self) -> None:
        _answer(lambda: self._api.get("/readyz"))

    def _node(self) -> None:
        # The node's conditions may be those of its life before a restart: only the kubelet itself knows that it lives.
        _answer(lambda: self._api.get(f"https://{self._config.node}:10250/healthz"))
        conditions = self._get(f"/api/v1/nodes/{NODE}")["status"]["conditions"]
        ready = [condition for condition in conditions if condition["type"] == "Ready"]
        if not ready or ready[0]["status"] != "True":
            raise NotYetError(f"the node is not ready: {ready[0]['message'] if ready else 'it has said nothing yet'}")

    def _healthy(self, url: str) -> None:
        # Certificates that these two make for themselves; what they say is no secret.
        _answer(lambda: httpx.get(url, timeout=SECONDS, verify=False, trust_env=False))  # noqa: S501

    def _containerd(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(SECONDS)
            try:
                connection.connect(str(self._layout.containerd_socket))
            except OSError as error:
                raise NotYetError(f"{self._layout.containerd_socket}: {error.strerror}") from None

    def _name_resolves(self) -> None:
        name = "kubernetes.default.svc.cluster.local"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
            connection.settimeout(SECONDS)
            try:
                connection.connect((str(self._config.node), 53))
                connection.send(dns_question(name))
                answer = connection.recv(512)
            except OSError as error:
                raise NotYetError(f"no answer to a question for {name}: {error}") from None
        if self._config.kubernetes_service.packed not in answer:
            raise NotYetError(f"{name} does not resolve yet")

    def _buildkit(self) -> None:
        command = [str(self._toolchain / "buildctl"), "--addr", self._layout.buildkit_host, "debug", "workers"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": os.defpath})
        if done.returncode:
            raise NotYetError(done.stderr.strip())

    def _database(self) -> None:
        import psycopg  # noqa: PLC0415 - needed by this one question

        try:
            with psycopg.connect(
                host=str(self._config.node),
                port=self._config.database_port,
                user=ADMINISTRATOR,
                password=self._layout.database_password.read_text(),
                dbname="postgres",
                connect_timeout=2,
                sslmode="disable",
            ) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error as error:
            raise NotYetError(str(error).strip()) from None

    def _secrets(self) -> None:
        headers = {
            "X-Amz-Target": "secretsmanager.ListSecrets",
            "Content-Type": "application/x-amz-json-1.1",
            "Authorization": "AWS4-HMAC-SHA256 "
            f"Credential={ACCESS_KEY}/20260101/{self._config.region}/secretsmanager/aws4_request, "
            "SignedHeaders=host, Signature=0",
        }
        url = self._config.aws_url
        _answer(lambda: httpx.post(url, headers=headers, content="{}", timeout=SECONDS, trust_env=False))


def _answer(ask: Callable[[], httpx.Response]) -> httpx.Response:
    try:
        answer = ask()
    except httpx.HTTPError as error:
        raise NotYetError(str(error)) from None
    if answer.is_error:
        raise NotYetError(f"{answer.request.url} says {answer.status_code}: {answer.text.strip()[:300]}")
    return answer


def dns_question(name: str) -> bytes:
    """A DNS packet that asks for the address of `name` (RFC 1035, section 4)."""
    header = bytes.fromhex("2a2a 0100 0001 0000 0000 0000")
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return header + labels + bytes.fromhex("00 0001 0001")
