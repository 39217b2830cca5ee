"""`deploytag.yaml`: how this application is built, tested and run. It belongs to the branch."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, JsonValue, model_validator

from deploytag.settings.types import RelativePath, SettingsModel, VariableName
from deploytag.yamlmodel import Complaints, read_model, unusable

SETTINGS_FILE = "deploytag.yaml"


class BaseImage(SettingsModel):
    """The slow-moving Linux packages: built and pushed only when its inputs changed."""

    dockerfile: RelativePath = "Dockerfile.base"
    context: tuple[RelativePath, ...] = Field(
        default=(), description="git-tracked files and folders the build may see, beside the Dockerfile"
    )
    follow: str | None = Field(
        default=None, description="image whose tag is looked up on each run; when it moved, the base is rebuilt on it"
    )
    follow_arg: VariableName = Field(default="FROM_IMAGE", description="build argument that takes the followed image")


class AppImage(SettingsModel):
    """The application, built on the base image's digest."""

    dockerfile: RelativePath = "Dockerfile"
    context: tuple[RelativePath, ...] = Field(
        default=(".",), description="git-tracked files and folders the build may see, beside the Dockerfile"
    )
    base_arg: VariableName = Field(default="BASE_IMAGE", description="build argument that takes the base image")


class Images(SettingsModel):
    """The two images of an environment."""

    base: BaseImage = BaseImage()
    app: AppImage = AppImage()


class Tests(SettingsModel):
    """What runs first; when it fails nothing is touched."""

    command: tuple[str, ...] = Field(min_length=1, description="command and arguments, run at the repository's root")
    timeout: int = Field(default=600, gt=0, description="seconds")


CONTRACT_VALUES = frozenset(
    {
        "image",
        "ref",
        "revision",
        "serviceAccount",
        "envSecret",
        "asleep",
        "migrations",
        "database",
        "variables",
        "access",
    }
)
"""Chart values that the program gives: the keys of `deploytag.contract.ContractValues`."""


class Chart(SettingsModel):
    """The Helm chart that lives in the repository."""

    path: RelativePath = "charts/app"
    timeout: int = Field(default=300, gt=0, description="seconds until its pods must be ready and its hooks done")
    values: dict[str, JsonValue] = Field(
        default_factory=dict, description="the chart's own values, beside the contract's"
    )

    @model_validator(mode="after")
    def _contract_keys_are_ours(self) -> Self:
        taken = sorted(CONTRACT_VALUES & self.values.keys())
        if taken:
            raise ValueError(f"values {', '.join(taken)} are given by the program and cannot be set here")
        return self


class Variables(SettingsModel):
    """Names under which the application finds its services."""

    database: VariableName = "DATABASE_URL"
    redis: VariableName = "REDIS_URL"
    required: tuple[VariableName, ...] = Field(
        default=(),
        description="what the application cannot do without: a class whose secrets lack one is refused before a build",
    )

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if self.database == self.redis:
            raise ValueError(f"database and redis cannot both be {self.redis}")
        return self


class Verify(SettingsModel):
    """How the deployed revision is seen at the URL; without `json_path` and `header` any answer below 500 will do."""

    path: Annotated[str, Field(pattern=r"^/\S*$")] = Field(default="/", description="what is asked for")
    json_path: tuple[str, ...] = Field(default=(), description="keys that lead to the revision in a JSON answer")
    header: str | None = Field(default=None, min_length=1, description="response header that holds the revision")
    timeout: int = Field(
        default=60, gt=0, description="seconds until the address must answer with the new revision, once all of it runs"
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.json_path and self.header:
            raise ValueError("the revision is looked for either in `json_path` or in `header`")
        return self


class ApplicationSettings(SettingsModel):
    """`deploytag.yaml`: how this application is built, tested and run. Belongs to the branch."""

    images: Images = Images()
    tests: Tests | None = None
    chart: Chart = Chart()
    verify: Verify = Verify()
    variables: Variables = Variables()

    @classmethod
    def load(cls, repository: Path) -> Self:
        """Read it below `repository`.

        Raises:
            SettingsError: with every complaint about it, a line each.
        """
        settings = read_model(repository / SETTINGS_FILE, cls)
        if isinstance(settings, Complaints):
            raise unusable(settings)
        return settings
