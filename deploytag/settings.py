"""Typed settings: `deploytag.yaml` (the branch's own) and `deploytag.policy.yaml` (who may have what).

Everything in a file is checked before anything is touched, and everything wrong is said at once, each with its key and
what is allowed there. The JSON schemas that editors use come from these models (`deploytag schema`).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from deploytag.errors import RefError, SettingsError
from deploytag.refname import check_pattern, matches
from deploytag.yamlmodel import Complaints, read_model

SETTINGS_FILE = "deploytag.yaml"
POLICY_FILE = "deploytag.policy.yaml"

VARIABLE_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
"""What a POSIX shell and Kubernetes' `envFrom` both take as the name of an environment variable."""


def _inside_repository(path: str) -> str:
    parts = Path(path).parts
    if Path(path).is_absolute() or ".." in parts:
        raise ValueError("must be a path inside the repository, relative to its root")
    return path


def _matchable(pattern: str) -> str:
    try:
        return check_pattern(pattern)
    except RefError as error:
        raise ValueError(str(error)) from None


RelativePath = Annotated[str, Field(min_length=1), AfterValidator(_inside_repository)]
VariableName = Annotated[str, Field(pattern=VARIABLE_NAME)]
SecretId = Annotated[str, Field(min_length=1)]
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")]
"""A Kubernetes resource quantity, such as `500m` or `1Gi`."""


def _duration(text: object) -> object:
    return text if isinstance(text, timedelta) else parse_duration(text)


def parse_duration(text: object) -> timedelta:
    """`36h`, `14d` or `2w`.

    Raises:
        ValueError: it is none; the message says what is allowed.
    """
    if not isinstance(text, str) or not (found := re.fullmatch(DURATION, text)):
        raise ValueError("must be a number of hours, days or weeks: 36h, 14d, 2w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


DURATION = r"^([1-9][0-9]{0,4})([hdw])$"
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
Duration = Annotated[
    timedelta, BeforeValidator(_duration, json_schema_input_type=Annotated[str, Field(pattern=DURATION)])
]
"""`36h`, `14d`, `2w`."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


# --- deploytag.yaml: how this application is built, tested and run ----------------------------------------------------


class BaseImage(_Model):
    """The slow-moving Linux packages: built and pushed only when its inputs changed."""

    dockerfile: RelativePath = "Dockerfile.base"
    context: tuple[RelativePath, ...] = Field(
        default=(), description="git-tracked files and folders the build may see, beside the Dockerfile"
    )
    follow: str | None = Field(
        default=None, description="image whose tag is looked up on each run; when it moved, the base is rebuilt on it"
    )
    follow_arg: VariableName = Field(default="FROM_IMAGE", description="build argument that takes the followed image")


class AppImage(_Model):
    """The application, built on the base image's digest."""

    dockerfile: RelativePath = "Dockerfile"
    context: tuple[RelativePath, ...] = Field(
        default=(".",), description="git-tracked files and folders the build may see, beside the Dockerfile"
    )
    base_arg: VariableName = Field(default="BASE_IMAGE", description="build argument that takes the base image")


class Images(_Model):
    """The two images of an environment."""

    base: BaseImage = BaseImage()
    app: AppImage = AppImage()


class Tests(_Model):
    """What runs first; when it fails nothing is touched."""

    command: tuple[str, ...] = Field(min_length=1, description="command and arguments, run at the repository's root")
    timeout: int = Field(default=600, gt=0, description="seconds")


CONTRACT_VALUES = frozenset(
    {"image", "ref", "revision", "serviceAccount", "envSecret", "asleep", "migrations", "database", "variables"}
)
"""Chart values that the program gives: the keys of `deploytag.contract.ContractValues`."""


class Chart(_Model):
    """The Helm chart that lives in the repository."""

    path: RelativePath = "charts/app"
    timeout: int = Field(default=300, gt=0, description="seconds until its pods must be ready and its hooks done")
    values: dict[str, Any] = Field(default_factory=dict, description="the chart's own values, beside the contract's")

    @model_validator(mode="after")
    def _contract_keys_are_ours(self) -> Self:
        taken = sorted(CONTRACT_VALUES & self.values.keys())
        if taken:
            raise ValueError(f"values {', '.join(taken)} are given by the program and cannot be set here")
        return self


class Variables(_Model):
    """Names under which the application finds its services."""

    database: VariableName = "DATABASE_URL"
    redis: VariableName = "REDIS_URL"

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if self.database == self.redis:
            raise ValueError(f"database and redis cannot both be {self.redis}")
        return self


class Verify(_Model):
    """How the deployed revision is seen at the URL; without `json_path` and `header` any answer below 500 will do."""

    path: Annotated[str, Field(pattern=r"^/\S*$")] = Field(default="/", description="what is asked for")
    json_path: tuple[str, ...] = Field(default=(), description="keys that lead to the revision in a JSON answer")
    header: str | None = Field(default=None, min_length=1, description="response header that holds the revision")
    timeout: int = Field(default=60, gt=0, description="seconds until the address must answer with the new revision")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.json_path and self.header:
            raise ValueError("the revision is looked for either in `json_path` or in `header`")
        return self


class ApplicationSettings(_Model):
    """`deploytag.yaml`: how this application is built, tested and run. Belongs to the branch."""

    images: Images = Images()
    tests: Tests | None = None
    chart: Chart = Chart()
    verify: Verify = Verify()
    variables: Variables = Variables()


# --- deploytag.policy.yaml: who may have what -------------------------------------------------------------------------


class Cluster(_Model):
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


class Limits(_Model):
    """The most that one environment may take."""

    cpu: Quantity = "2"
    memory: Quantity = "2Gi"
    pods: int = Field(default=20, gt=0)
    load_balancers: int = Field(default=1, gt=0)
    database_connections: int = Field(default=20, gt=0)


class EnvironmentClass(_Model):
    """What the environments of some branches are given."""

    pattern: Annotated[str, AfterValidator(_matchable)] = Field(description="`feature/*`: everything below `feature/`")
    secret: SecretId | None = Field(description="Secrets Manager id of the variables; null: none, by choice")
    database: bool = True
    database_key: SecretId | None = Field(
        default=None, description="Secrets Manager id of the key from which database passwords are derived"
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

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.migrations and not self.database:
            raise ValueError("migrations need a database: set `migrations: false` or `database: true`")
        if self.database and self.database_key is None:
            raise ValueError("a database needs `database_key`, the secret its password is derived from")
        if self.protected and self.ttl:
            raise ValueError("a protected class is never collected: leave `ttl` out or set `protected: false`")
        return self


class Policy(_Model):
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
            raise _unusable(policy)
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


# --- loading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Settings:
    """Both files of one checkout, valid."""

    application: ApplicationSettings
    policy: Policy

    @classmethod
    def load(cls, repository: Path) -> Self:
        """Read both files below `repository`.

        Raises:
            SettingsError: with every complaint about both files, a line each.
        """
        application = read_model(repository / SETTINGS_FILE, ApplicationSettings)
        policy = read_model(repository / POLICY_FILE, Policy)
        if isinstance(application, ApplicationSettings) and isinstance(policy, Policy):
            return cls(application, policy)
        raise _unusable(
            line for outcome in (application, policy) if isinstance(outcome, Complaints) for line in outcome
        )


def _unusable(complaints: Iterable[str]) -> SettingsError:
    return SettingsError("\n  ".join(["the settings cannot be used, nothing was touched:", *complaints]))
