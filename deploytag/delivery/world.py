"""Everything a run acts on, opened once: each part proves to be the expected one before anything is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from deploytag.administrator import Administrator
from deploytag.delivery import surroundings
from deploytag.delivery.backend import Backend
from deploytag.delivery.cluster import Cluster, open_cluster
from deploytag.delivery.inventory.look import Sources
from deploytag.delivery.lease.acquire import Leases
from deploytag.delivery.progress import Progress
from deploytag.delivery.records import Records
from deploytag.delivery.store import StateStore
from deploytag.identity import Identity, identify
from deploytag.remote import Remote
from deploytag.settings import Policy
from deploytag.trust import InForce


@dataclass(frozen=True, slots=True)
class World:
    """What one project's environments live in."""

    project: str
    repository: Path
    """The checkout; for what works from state alone only its remote matters."""
    environ: Mapping[str, str]
    """What everything that a run starts is given: see `surroundings`."""
    trusted: InForce
    """The policy, from where no branch can change it, for the whole run."""
    cluster: Cluster
    leases: Leases
    records: Records
    store: StateStore | None
    """None: the backend is a service, which keeps its own locks."""
    administrator: Administrator | None
    """None: no database server is named."""
    progress: Progress

    @classmethod
    def open(
        cls, project: str, repository: Path, trusted: InForce, environ: Mapping[str, str], progress: Progress
    ) -> Self:
        """Open it; the cluster is asked nothing yet.

        Raises:
            OwnershipError: the kubeconfig's cluster is not the one the policy names.
            DeployTagError: something is configured so that it cannot be used.
        """
        policy, backend = trusted.policy, Backend.find(environ, repository)
        cluster = open_cluster(policy.cluster, environ)
        return cls(
            project=project,
            repository=repository,
            environ=surroundings.of_children(environ, backend),
            trusted=trusted,
            cluster=cluster,
            leases=Leases(cluster, policy.lease_seconds),
            records=Records(cluster),
            store=StateStore.of(backend),
            administrator=Administrator.from_environ(environ) if environ.get("PGHOST") else None,
            progress=progress,
        )

    @property
    def policy(self) -> Policy:
        """What decides."""
        return self.trusted.policy

    @property
    def remote(self) -> Remote:
        """The truth about refs."""
        return self.trusted.remote

    @property
    def sources(self) -> Sources:
        """Where the things of its environments can be."""
        return Sources(self.cluster, self.store, self.administrator, self.records)

    def identity(self, ref: str) -> Identity:
        """The names of a ref of this project."""
        return identify(self.project, ref)
