"""The Go programs the sandbox runs on, and what decides whether one has to be built again.

Each folder of sandbox/toolchain is a Go module of its own: in one common module, version selection would move the
versions that Kubernetes pins.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.versions import MODULES, module_version

PULUMI_SDK = "github.com/pulumi/pulumi/sdk/v3"
BUILDKIT = "github.com/moby/buildkit"
HELM = "helm.sh/helm/v3"
DOCKER_BUILD = "github.com/pulumi/pulumi-docker-build"
BUILDX = "github.com/docker/buildx"
DISTRIBUTION = "github.com/distribution/distribution/v3"


@dataclass(frozen=True, eq=False)
class Program:
    """One wrapper module: what is built from it and how long that takes on two cores with nothing cached."""

    module: str
    usual: str
    packages: tuple[str, ...]
    built: tuple[str, ...]
    # Variables set by the linker, so that the programs know their own version.
    stamps: Mapping[str, str] = field(default_factory=dict)
    # More names under which the first built file is called.
    aliases: tuple[str, ...] = ()
    # Pulumi plugins stay off PATH: the engine prefers what it finds there and warns about it on every run.
    plugin: bool = False
    # Programs of one bundle lie in one folder, as files: Pulumi looks for its language host beside its own binary,
    # links resolved, and warns on every run about one that it finds elsewhere.
    bundle: str = ""
    # Files taken as they are from a module: module path and file in it.
    files: tuple[tuple[str, str], ...] = ()

    @property
    def folder(self) -> Path:
        """The wrapper module's own folder."""
        return MODULES / self.module

    @property
    def commands(self) -> tuple[str, ...]:
        """Every name by which the result is called."""
        return (*(self.aliases or self.built), *(Path(file).name for _, file in self.files))

    @property
    def flags(self) -> tuple[str, ...]:
        """What `go build` is told."""
        stamps = [f"-X {name}={value}" for name, value in sorted(self.stamps.items())]
        return ("-buildvcs=false", "-trimpath", "-ldflags", " ".join(["-s", "-w", *stamps]))

    def key(self, go_version: str) -> str:
        """Name of the folder that holds the result: the same for the same sources, flags and compiler."""
        sources = {str(path.relative_to(self.folder)): path.read_bytes() for path in _sources(self.folder)}
        return f"{self.module}-{content_key(sources, (*self.flags, *self.packages, *self.commands, go_version))}"


def content_key(files: Mapping[str, bytes], words: Iterable[str]) -> str:
    """A short hash over named contents and words."""
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    for word in words:
        digest.update(f"{word}\0".encode())
    return digest.hexdigest()[:16]


def _sources(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in {".go", ".mod", ".sum"})


def programs() -> tuple[Program, ...]:
    """All of them, the slowest first: a build that is going to fail should fail early."""
    return (
        *(_kubernetes(), _pulumi(), _docker_build(), _coredns(), _buildkit(), _buildx(), _helm()),
        *(_registry(), _network_policies(), _python_host(), _pause()),
    )


def _kubernetes() -> Program:
    version = module_version("kubernetes", "k8s.io/kubernetes")
    major, minor = version.removeprefix("v").split(".")[:2]
    # Without these `kubectl version`, the node's version and Helm's .Capabilities are those of an unreleased tree.
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitCommit": "unknown"}
    component = {"gitTreeState": "clean", "buildDate": "2026-01-01T00:00:00Z"}
    return Program(
        module="kubernetes",
        usual="6 min",
        packages=(".",),
        built=("kubernetes",),
        stamps={f"k8s.io/component-base/version.{name}": value for name, value in (stamps | component).items()}
        | {f"k8s.io/client-go/pkg/version.{name}": value for name, value in stamps.items()},
        aliases=("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"),
    )


def _pulumi() -> Program:
    return Program(
        module="pulumi",
        usual="4 min",
        packages=("github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",),
        built=("pulumi",),
        bundle="pulumi",
        stamps={f"{PULUMI_SDK}/go/common/version.Version": module_version("pulumi", PULUMI_SDK)},
    )


def _python_host() -> Program:
    return Program(
        module="pulumi-language-python",
        usual="20 s",
        packages=(f"{PULUMI_SDK}/python/cmd/pulumi-language-python",),
        built=("pulumi-language-python",),
        bundle="pulumi",
        stamps={f"{PULUMI_SDK}/go/common/version.Version": module_version("pulumi-language-python", PULUMI_SDK)},
        files=((PULUMI_SDK, "python/cmd/pulumi-language-python-exec"),),
    )


def _docker_build() -> Program:
    version = module_version("pulumi-docker-build", DOCKER_BUILD).removeprefix("v")
    return Program(
        module="pulumi-docker-build",
        usual="2 min",
        packages=(f"{DOCKER_BUILD}/provider/cmd/pulumi-resource-docker-build",),
        built=("pulumi-resource-docker-build",),
        plugin=True,
        stamps={f"{DOCKER_BUILD}/provider.Version": version},
    )


def _coredns() -> Program:
    return Program(
        module="coredns",
        usual="2 min",
        packages=("github.com/coredns/coredns",),
        built=("coredns",),
    )


def _buildkit() -> Program:
    return Program(
        module="buildkit",
        usual="2 min",
        packages=(f"{BUILDKIT}/cmd/buildkitd", f"{BUILDKIT}/cmd/buildctl"),
        built=("buildkitd", "buildctl"),
        stamps={f"{BUILDKIT}/version.Version": module_version("buildkit", BUILDKIT)},
    )


def _buildx() -> Program:
    """Alone, as there is no Docker here whose plugin it could be."""
    return Program(
        module="buildx",
        usual="2 min",
        packages=(f"{BUILDX}/cmd/buildx",),
        built=("buildx",),
        stamps={f"{BUILDX}/version.Version": module_version("buildx", BUILDX)},
    )


def _helm() -> Program:
    major, minor = module_version("kubernetes", "k8s.io/kubernetes").removeprefix("v").split(".")[:2]
    # What `helm template` takes for the cluster's version when it has no cluster.
    defaults = {f"{HELM}/pkg/{package}.k8sVersion": (major, minor) for package in ("chartutil", "lint/rules")}
    return Program(
        module="helm",
        usual="1 min",
        packages=(f"{HELM}/cmd/helm",),
        built=("helm",),
        stamps={f"{HELM}/internal/version.version": module_version("helm", HELM)}
        | {f"{name}Major": parts[0] for name, parts in defaults.items()}
        | {f"{name}Minor": parts[1] for name, parts in defaults.items()},
    )


def _registry() -> Program:
    return Program(
        module="registry",
        usual="1 min",
        packages=(".",),
        built=("registry",),
        stamps={f"{DISTRIBUTION}/version.version": module_version("registry", DISTRIBUTION)},
    )


def _network_policies() -> Program:
    return Program(module="network-policies", usual="30 s", packages=(".",), built=("network-policies",))


def _pause() -> Program:
    return Program(module="pause", usual="5 s", packages=(".",), built=("pause",))
