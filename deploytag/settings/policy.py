"""`deploytag.policy.yaml`: who may have what."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from deploytag.errors import RefError, SettingsError
from deploytag.refname import check_pattern, matches
from deploytag.settings.access import Access
from deploytag.settings.types import BuildSecretId, Duration, Quantity, SecretId, SettingsModel
from deploytag.yamlmodel import Complaints, read_model, unusable

POLICY_FILE = "deploytag.policy.yaml"


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


class Limits(SettingsModel):
    """The most that one environment may take."""

    cpu: Quantity = "2"
    memory: Quantity = "2Gi"
    pods: int = Field(default=20, gt=0)
    load_balancers: int = Field(default=1, gt=0)
    database_connections: int = Field(default=20, gt=0)


class EnvironmentClass(SettingsModel):
    """What the environments of some branches are given."""

    pattern: Annotated[str, AfterValidator(_matchable)] = Field(description="`feature/*`: everything below `feature/`")
    secret: SecretId | None = Field(description="Secrets Manager id of the variables; null: none, by choice")
    database: bool = True
    database_key: SecretId | None = Field(
        default=None, description="Secrets Manager id of the key from which database passwords are derived"
    )
    build_secrets: dict[BuildSecretId, SecretId] = Field(
        default_factory=dict,
        description="what a Dockerfile may mount by `RUN --mount=type=secret,id=ID`: that id, and the Secrets Manager "
        "id of the text. It gets into no image, and is never a build argument",
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
    remote: Annotated[str, Field(min_length=1, pattern=r"^[^-\s]\S*$")] = Field(
        default="origin", description="the git remote that is the truth about refs: its name in the checkout, or a URL"
    )
    lease_seconds: int = Field(
        default=30, ge=5, le=600, description="a run that died is taken over after so long; one that lives renews"
    )
    classes: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")], EnvironmentClass] = Field(min_length=1)

    @model_validator(mode="after")
    def _every_class_is_reachable(self) -> Self:
        earlier: list[EnvironmentClass] = []
        for name, cls in self.classes.items():
            # A character that no pattern spells out stands for the stars: only a star of the earlier pattern takes it.
            anything = cls.pattern.replace("*", "\0")
            if shadow := next((other for other in earlier if matches(other.pattern, anything)), None):
                raise ValueError(
                    f"no branch ever belongs to the class {name}: {shadow.pattern}, earlier in the table, takes all "
                    f"that {cls.pattern} means; put {name} first"
                )
            earlier.append(cls)
        return self

    @classmethod
    def load(cls, repository: Path) -> Self:
        """Read the policy alone: what destroys an environment needs no valid `deploytag.yaml`.

        Raises:
            SettingsError: with every complaint about it, a line each.
        """
        policy = read_model(repository / POLICY_FILE, cls)
        if isinstance(policy, Complaints):
            raise unusable(policy)
        return policy

    def class_of(self, ref: str) -> EnvironmentClass:
        """The class of `ref`: the first of the table whose pattern matches.

        Raises:
            SettingsError: no pattern matches; the sentence says which do.
        """
        return self.classes[self.class_name_of(ref)]

    def class_name_of(self, ref: str) -> str:
        """The name of that class.

        Raises:
            SettingsError: as `class_of`.
        """
        for name, cls in self.classes.items():
            if matches(cls.pattern, ref):
                return name
        patterns = ", ".join(cls.pattern for cls in self.classes.values())
        raise SettingsError(
            f"{ref} belongs to no class, so it is not deployed: {patterns} are. "
            f"Rename the branch, or add a class to {POLICY_FILE}."
        )
