"""The parts of the sandbox: what runs, how, and what each one waits for. Supervisord keeps them running."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.config import NODE, Config
from sandbox.database import POSTGRES
from sandbox.layout import Layout
from sandbox.versions import module_version


@dataclass(frozen=True)
class Part:
    """One program."""

    name: str
    command: tuple[str, ...]
    # Parts that have to answer before this one is started.
    needs: tuple[str, ...] = ()
    address: str = ""
    # A version that is known beforehand, or the command that prints it.
    version: str | tuple[str, ...] = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    # Parts whose data is safe whenever they end are simply killed.
    stop_signal: str = "KILL"


def parts(config: Config, layout: Layout, toolchain: Path, python: str = sys.executable) -> tuple[Part, ...]:
    """Everything that runs, in the order it is shown."""
    return (
        *_storage(config, layout),
        *_control_plane(config, layout, toolchain),
        *_node(config, layout, toolchain, python),
        *_backends(config, layout, toolchain, python),
    )


def _storage(config: Config, layout: Layout) -> tuple[Part, ...]:
    peer, client = "http://127.0.0.1:2380", "http://127.0.0.1:2379"
    return (
        Part(
            "etcd",
            (
                *("etcd", f"--name={NODE}", f"--data-dir={layout.root / 'etcd'}", "--logger=zap", "--log-level=warn"),
                *(f"--listen-client-urls={client}", f"--advertise-client-urls={client}"),
                *(f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"),
                *(f"--initial-cluster={NODE}={peer}", "--auto-compaction-retention=1h"),
            ),
            address="127.0.0.1:2379, inside",
            version=("etcd", "--version"),
            stop_signal="TERM",
        ),
    )


def _control_plane(config: Config, layout: Layout, toolchain: Path) -> tuple[Part, ...]:
    pki, version = layout.pki, module_version("kubernetes", "k8s.io/kubernetes")

    def user(name: str) -> str:
        return str(layout.kubeconfigs / f"{name}.yaml")

    return (
        Part(
            "apiserver",
            (
                *(str(toolchain / "kube-apiserver"), "--etcd-servers=http://127.0.0.1:2379"),
                *(f"--bind-address={config.node}", f"--advertise-address={config.node}"),
                *(f"--secure-port={config.api_port}", f"--service-cluster-ip-range={config.services}"),
                *("--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction"),
                *("--allow-privileged=true", "--profiling=false", "--enable-aggregator-routing=true"),
                *(f"--client-ca-file={pki}/ca.crt", f"--tls-cert-file={pki}/apiserver.crt"),
                *(f"--tls-private-key-file={pki}/apiserver.key", f"--kubelet-certificate-authority={pki}/ca.crt"),
                f"--kubelet-client-certificate={pki}/apiserver-kubelet.crt",
                f"--kubelet-client-key={pki}/apiserver-kubelet.key",
                "--kubelet-preferred-address-types=InternalIP",
                "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
                f"--service-account-key-file={pki}/sa.pub",
                f"--service-account-signing-key-file={pki}/sa.key",
                f"--requestheader-client-ca-file={pki}/front.crt",
                "--requestheader-allowed-names=front-proxy-client",
                "--requestheader-username-headers=X-Remote-User",
                "--requestheader-group-headers=X-Remote-Group",
                "--requestheader-extra-headers-prefix=X-Remote-Extra-",
                f"--proxy-client-cert-file={pki}/front-client.crt",
                f"--proxy-client-key-file={pki}/front-client.key",
            ),
            address=config.api_url,
            version=version,
        ),
        Part(
            "controller-manager",
            (
                *(str(toolchain / "kube-controller-manager"), f"--kubeconfig={user('controller-manager')}"),
                *(f"--bind-address={config.node}", "--leader-elect=false", "--profiling=false"),
                *("--use-service-account-credentials=true", f"--service-account-private-key-file={pki}/sa.key"),
                *(f"--root-ca-file={pki}/ca.crt", f"--cluster-signing-cert-file={pki}/ca.crt"),
                *(f"--cluster-signing-key-file={pki}/ca.key", "--controllers=*,-nodeipam"),
                *(f"--service-cluster-ip-range={config.services}", "--enable-hostpath-provisioner=true"),
                f"--flex-volume-plugin-dir={layout.root}/volume-plugins",
            ),
            needs=("apiserver",),
            address=f"https://{config.node}:10257",
            version=version,
        ),
        Part(
            "scheduler",
            (
                *(str(toolchain / "kube-scheduler"), f"--kubeconfig={user('scheduler')}"),
                *(
                    f"--authentication-kubeconfig={user('scheduler')}",
                    f"--authorization-kubeconfig={user('scheduler')}",
                ),
                *(f"--bind-address={config.node}", "--leader-elect=false", "--profiling=false"),
            ),
            needs=("apiserver",),
            address=f"https://{config.node}:10259",
            version=version,
        ),
    )


def _node(config: Config, layout: Layout, toolchain: Path, python: str) -> tuple[Part, ...]:
    version = module_version("kubernetes", "k8s.io/kubernetes")
    return (
        Part(
            "containerd",
            ("containerd", "--config", str(layout.etc / "containerd.toml")),
            address=f"unix://{layout.containerd_socket}",
            version=("containerd", "--version"),
        ),
        Part(
            "kubelet",
            (
                *(str(toolchain / "kubelet"), f"--config={layout.etc / 'kubelet.yaml'}"),
                *(f"--kubeconfig={layout.kubeconfigs / 'kubelet.yaml'}", f"--root-dir={layout.root / 'kubelet'}"),
                *(f"--cert-dir={layout.root / 'kubelet' / 'pki'}", f"--hostname-override={NODE}"),
                f"--node-ip={config.node}",
            ),
            # No pod runs before what it may reach is enforced.
            needs=("apiserver", "containerd", "network-policies"),
            address=f"https://{config.node}:10250",
            version=version,
        ),
        Part(
            "kube-proxy",
            (str(toolchain / "kube-proxy"), f"--config={layout.etc / 'kube-proxy.yaml'}"),
            needs=("apiserver",),
            address=f"http://{config.node}:10256",
            version=version,
        ),
        Part(
            "network-policies",
            (
                *(str(toolchain / "network-policies"), f"-kubeconfig={layout.kubeconfigs / 'network-policies.yaml'}"),
                *(f"-node={NODE}", f"-pods={config.pod_subnet}", f"-name-server={config.node}"),
                # As etc/cni/pods.conflist and etc/containerd.toml have them.
                *("-addresses=/run/cni/pods", "-sandboxes=/run/containerd/io.containerd.runtime.v2.task/k8s.io"),
                f"-health={config.node}:10258",
            ),
            needs=("apiserver",),
            address=f"http://{config.node}:10258",
            version=module_version("network-policies", "sigs.k8s.io/kube-network-policies"),
            # It takes its rules with it.
            stop_signal="TERM",
        ),
        Part(
            "coredns",
            (str(toolchain / "coredns"), "-conf", str(layout.etc / "Corefile")),
            needs=("apiserver",),
            address=f"{config.node}:53",
            version=module_version("coredns", "github.com/coredns/coredns"),
        ),
        Part(
            "loadbalancer",
            (
                *(python, "-m", "sandbox.loadbalancer"),
                *(str(layout.kubeconfigs / "loadbalancer.yaml"), str(config.addresses[0]), str(config.addresses[-1])),
            ),
            needs=("apiserver",),
            address=f"{config.addresses[0]}-{config.pool[1]}",
        ),
    )


def _backends(config: Config, layout: Layout, toolchain: Path, python: str) -> tuple[Part, ...]:
    return (
        Part(
            "registry",
            (str(toolchain / "registry"), "serve", str(layout.etc / "registry.yaml")),
            address=f"http://{config.registry}",
            version=module_version("registry", "github.com/distribution/distribution/v3"),
            # Or it looks for a collector of traces, and complains every few seconds that there is none.
            environment={"OTEL_TRACES_EXPORTER": "none"},
            stop_signal="TERM",
        ),
        Part(
            "buildkit",
            (str(toolchain / "buildkitd"), "--config", str(layout.etc / "buildkitd.toml")),
            address=layout.buildkit_host,
            version=module_version("buildkit", "github.com/moby/buildkit"),
            environment={"DOCKER_CONFIG": str(layout.docker)},
            stop_signal="TERM",
        ),
        Part(
            "postgres",
            (python, "-m", "sandbox.database", str(layout.database_password), str(layout.etc / "postgresql.conf")),
            address=f"{config.node}:{config.database_port}",
            version=(str(POSTGRES / "postgres"), "--version"),
            # "Fast": open connections are ended, data is written out.
            stop_signal="INT",
        ),
        Part(
            "aws",
            (python, "-m", "sandbox.aws_server", str(config.node), str(config.aws_port), str(layout.root / "aws")),
            address=config.aws_url,
            stop_signal="TERM",
        ),
    )
