"""Where things are inside the sandbox's directory."""

from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import SandboxError

# Unix socket paths are limited to 107 characters, and the longest of ours adds this many to the directory.
LONGEST_SOCKET = len("/containerd/containerd.sock.ttrpc")


@dataclass(frozen=True)
class Layout:
    """Every path below the directory `root`, by name."""

    root: Path

    def check(self) -> None:
        """Refuse a directory whose sockets nobody could open."""
        if len(str(self.root)) + LONGEST_SOCKET > 107:
            raise SandboxError(
                f"The path {self.root} is too long for Unix sockets inside it. "
                "Choose a shorter one with DEPLOYTAG_SANDBOX."
            )

    @property
    def etc(self) -> Path:
        """Generated configuration; rewritten by every `up`."""
        return self.root / "etc"

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.root / "pki"

    @property
    def kubeconfigs(self) -> Path:
        """One kubeconfig per user of the API server."""
        return self.root / "kubeconfigs"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.kubeconfigs / "admin.yaml"

    @property
    def wrapper_kubeconfig(self) -> Path:
        """The kubeconfig of whoever deploys: it may what docs/reference/rights.yaml says, and nothing else."""
        return self.kubeconfigs / "deploytag.yaml"

    @property
    def logs(self) -> Path:
        """One log file per part."""
        return self.root / "logs"

    @property
    def temporary(self) -> Path:
        """TMPDIR of every part; emptied by every start."""
        return self.root / "tmp"

    @property
    def supervisor_socket(self) -> Path:
        """Where supervisord takes orders."""
        return self.root / "supervisor.sock"

    @property
    def containerd_socket(self) -> Path:
        """Where containerd takes orders."""
        return self.root / "containerd" / "containerd.sock"

    @property
    def buildkit_socket(self) -> Path:
        """Where BuildKit takes orders, from builds on the host too."""
        return self.root / "buildkit" / "buildkitd.sock"

    @property
    def buildkit_host(self) -> str:
        """The same as buildctl and buildx spell it."""
        return f"unix://{self.buildkit_socket}"

    @property
    def database_password(self) -> Path:
        """The password of the database's administrator."""
        return self.root / "database.password"

    @property
    def pulumi_home(self) -> Path:
        """PULUMI_HOME: plugins and credentials of the sandbox's engine."""
        return self.root / "pulumi"

    @property
    def state(self) -> Path:
        """The file:// backend."""
        return self.root / "state"

    @property
    def repository(self) -> Path:
        """The git remote: a bare repository whose hook deploys what is pushed."""
        return self.root / "repository.git"

    @property
    def checkouts(self) -> Path:
        """Where pushed commits are checked out while they are deployed."""
        return self.root / "checkouts"

    @property
    def pushes(self) -> Path:
        """One log file per pushed ref."""
        return self.logs / "pushes"

    @property
    def buildx(self) -> Path:
        """BUILDX_CONFIG."""
        return self.root / "buildx"

    @property
    def docker(self) -> Path:
        """DOCKER_CONFIG, empty: no credentials of the user's are read."""
        return self.root / "docker"

    @property
    def marker(self) -> Path:
        """Tells that the directory is a sandbox's and may be deleted."""
        return self.root / ".deploytag-sandbox"
