"""`deploytag.policy.yaml`: who may have what."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from deploytag.errors import RefError, SettingsError
from deploytag.refname import check_pattern, matches
from deploytag.settings.access import Access
from deploytag.settings.caps import Caps
from deploytag.settings.isolation import Isolation
from deploytag.settings.secrets import SecretSources
from deploytag.settings.types import (
    BuildSecretId,
    Duration,
    Quantity,
    RepositoryPath,
    SecretId,
    SettingsModel,
    number_of,
)

POLICY_FILE = "deploytag.policy.yaml"

FORKS = "fork/"
"""Where branches lie that hold the code of forks."""


def _matchable(pattern: str) -> str:
    try:
        return check_pattern(pattern)
    except RefError as error:
        raise ValueError(str(error)) from None


class Cluster(SettingsModel):
    """The one cluster that environments of this repository may be put on."""

    server: str | None = Field(default=None, pattern=r"^https?://\S+$", description="the API server's URL")
    ca_sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the API server's CA certificate (DER), hex"
    )

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if self.server is None and self.ca_sha256 is None:
            raise ValueError("needs `server`, `ca_sha256` or both")
        return self


class ContainerDefaults(SettingsModel):
    """What a container gets that names no limits of its own, and what it asks for where it names no requests."""

    cpu: Quantity = "250m"
    cpu_request: Quantity = "10m"
    memory: Quantity = "128Mi"
    memory_request: Quantity = "64Mi"
    ephemeral_storage: Quantity = "1Gi"
    ephemeral_storage_request: Quantity = "16Mi"

    @model_validator(mode="after")
    def _asks_for_no_more_than_it_gets(self) -> Self:
        for name, limit, request in (
            ("cpu", self.cpu, self.cpu_request),
            ("memory", self.memory, self.memory_request),
            ("ephemeral_storage", self.ephemeral_storage, self.ephemeral_storage_request),
        ):
            if number_of(request) > number_of(limit):
                raise ValueError(f"{name}_request is {request}, which is more than the limit, {name}: {limit}")
        return self


class Limits(SettingsModel):
    """The most that one environment may take."""

    cpu: Quantity = "2"
    memory: Quantity = "2Gi"
    pods: int = Field(default=20, gt=0)
    load_balancers: int = Field(default=1, gt=0)
    node_ports: int = Field(
        default=10,
        ge=0,
        description="ports of the nodes; a load balancer takes one for each of its own. None beside an ingress",
    )
    services: int = Field(default=20, gt=0)
    objects: int = Field(
        default=100,
        gt=0,
        description="Secrets, ConfigMaps, Jobs and CronJobs, of each so many. Helm keeps a release in up to four "
        "Secrets, and a CronJob its last Jobs",
    )
    volumes: int = Field(default=5, ge=0, description="persistent volume claims")
    storage: Quantity = Field(default="10Gi", description="what all of those may ask for together")
    ephemeral_storage: Quantity = Field(
        default="10Gi", description="of the nodes' disks, for all of its pods: what they write, emptyDirs and logs"
    )
    container: ContainerDefaults = ContainerDefaults()
    database_connections: int = Field(default=20, gt=0)
    statement_seconds: int = Field(
        default=300,
        ge=0,
        le=86400,
        description="how long one database statement may run unless it says so; 0: for ever",
    )


class EnvironmentClass(SettingsModel):
    """What the environments of some branches are given."""

    pattern: Annotated[str, AfterValidator(_matchable)] = Field(description="`feature/*`: everything below `feature/`")
    secrets: SecretSources = Field(
        description="secrets whose keys become the variables, a later one over the earlier ones; []: none, by choice"
    )
    database: bool = True
    database_key: SecretId | None = Field(
        default=None, description="Secrets Manager id of the key from which database passwords are derived"
    )
    build_secrets: dict[BuildSecretId, SecretId] = Field(
        default_factory=dict,
        description="what a Dockerfile may mount by `RUN --mount=type=secret,id=ID`: that id, and the Secrets Manager "
        "id of the text. It gets into no image, and is never a build argument",
    )
    image_repository: RepositoryPath | None = Field(
        default=None,
        description="path below the registry for the class's images and build caches, so that a login which may push "
        "there alone keeps other classes' builds from its own; null: the project's name, shared by all such classes",
    )
    migrations: bool = True
    protected: bool = Field(default=False, description="never destroyed without force")
    ttl: Duration | None = Field(
        default=None, description="time without a push after which it is collected: 36h, 14d, 2w"
    )
    sleep_after: Duration | None = Field(
        default=None, description="time without a push after which its pods are put to sleep: 12h, 2d"
    )
    limits: Limits = Limits()
    isolation: Isolation = Isolation()
    access: Access = Field(default=Access(), description="who can reach the environments, and how")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.migrations and not self.database:
            raise ValueError("migrations need a database: set `migrations: false` or `database: true`")
        if self.database and self.database_key is None:
            raise ValueError("a database needs `database_key`, the secret its password is derived from")
        if self.protected and self.ttl:
            raise ValueError("a protected class is never collected: leave `ttl` out or set `protected: false`")
        return self


class Policy(SettingsModel):
    """`deploytag.policy.yaml`: which branches deploy, where, and what they may have."""

    cluster: Cluster
    lease_seconds: int = Field(
        default=30, ge=5, le=600, description="a run that died is taken over after so long; one that lives renews"
    )
    caps: Caps = Caps()
    forks: str | None = Field(
        default=None,
        description="the class of branches below `fork/`: what somebody has read of a fork and pushed to "
        "`fork/OWNER/BRANCH`; null: there are none. No pattern takes a branch below `fork/`",
    )
    classes: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")], EnvironmentClass] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_known_classes(self) -> Self:
        if self.forks is not None and self.forks not in self.classes:
            raise ValueError(f"forks names the class {self.forks}, which is none of {', '.join(self.classes)}")
        if self.forks is not None and self.classes[self.forks].protected:
            raise ValueError(f"forks names {self.forks}, which is protected: foreign code gets no such class")
        if unknown := sorted(self.caps.classes.keys() - self.classes.keys()):
            raise ValueError(f"caps.classes names {', '.join(unknown)}, and the classes are {', '.join(self.classes)}")
        return self

    @model_validator(mode="after")
    def _every_class_is_reachable(self) -> Self:
        earlier: list[EnvironmentClass] = []
        for name, cls in self.classes.items():
            if name == self.forks:  # which has the branches below `fork/`, whatever its pattern
                continue
            if cls.pattern.startswith(FORKS):
                raise ValueError(
                    f"no branch ever belongs to the class {name}: those below {FORKS} have the class that `forks` names"
                )
            # A character that no pattern spells out stands for the stars: only a star of the earlier pattern takes it.
            anything = cls.pattern.replace("*", "\0")
            if shadow := next((other for other in earlier if matches(other.pattern, anything)), None):
                raise ValueError(
                    f"no branch ever belongs to the class {name}: {shadow.pattern}, earlier in the table, takes all "
                    f"that {cls.pattern} means; put {name} first"
                )
            earlier.append(cls)
        return self

    def class_of(self, ref: str) -> EnvironmentClass:
        """The class of `ref`: the first of the table whose pattern matches.

        Raises:
            SettingsError: no pattern matches; the sentence says which do.
        """
        return self.classes[self.class_name_of(ref)]

    def image_repositories(self, project: str) -> list[str]:
        """Every path below the registry where images of the project may be."""
        return sorted({project, *(it.image_repository for it in self.classes.values() if it.image_repository)})

    def refusal(self, ref: str) -> str | None:
        """Why `ref` gets no environment; None when a class takes it."""
        try:
            self.class_name_of(ref)
        except SettingsError as error:
            return str(error)
        return None

    def class_name_of(self, ref: str) -> str:
        """The name of that class. Below `fork/` it is the one that `forks` names, whatever the patterns say.

        Raises:
            SettingsError: as `class_of`.
        """
        if ref.startswith(FORKS):
            if self.forks is not None:
                return self.forks
            raise SettingsError(
                f"{ref} belongs to no class: below {FORKS} is the code of forks, and {POLICY_FILE} gives it none. "
                "Name a class for it (`forks: CLASS`), or the branch otherwise."
            )
        for name, cls in self.classes.items():
            if matches(cls.pattern, ref):
                return name
        patterns = ", ".join(cls.pattern for cls in self.classes.values())
        raise SettingsError(
            f"{ref} belongs to no class, so it is not deployed: {patterns} are. "
            f"Rename the branch, or add a class to {POLICY_FILE}."
        )
