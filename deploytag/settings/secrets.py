"""Which secrets of AWS Secrets Manager become an environment's variables, and how."""

from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from deploytag.settings.types import SecretId, SettingsModel, VariableName

CURRENT = "AWSCURRENT"
"""The stage that Secrets Manager moves to each new version."""


class SecretSource(SettingsModel):
    """One secret, as one layer of the variables."""

    id: SecretId = Field(description="name or ARN in Secrets Manager")
    stage: Annotated[str, Field(min_length=1, max_length=256)] | None = Field(
        default=None, description="the version with this stage; AWSCURRENT unless `stage` or `version` says otherwise"
    )
    version: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        default=None, description="pins a version by its id: no rotation reaches the environment"
    )
    keys: Annotated[dict[Annotated[str, Field(min_length=1)], VariableName], Field(min_length=1)] | None = Field(
        default=None,
        description="key of the secret -> name of the variable: only these are taken; without, every key is a variable",
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.stage is not None and self.version is not None:
            raise ValueError("a version is named by its `stage` or by its `version`, not by both")
        names = list((self.keys or {}).values())
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"`keys` gives several keys the same name: {', '.join(twice)}")
        return self

    @property
    def said(self) -> str:
        """How a person is told of it: the id, and the version where it is not the current one."""
        if self.version is not None:
            return f"{self.id} (version {self.version})"
        return self.id if self.stage in (None, CURRENT) else f"{self.id} ({self.stage})"


def _written_short(source: object) -> object:
    return {"id": source} if isinstance(source, str) else source


def _list_of_sources(sources: object) -> object:
    if sources is None or isinstance(sources, str):
        raise ValueError("must be a list, such as [staging/common, staging/app]; [] is none, by choice")
    return sources


def _distinct(sources: tuple[SecretSource, ...]) -> tuple[SecretSource, ...]:
    if twice := sorted({source.said for source in sources if sources.count(source) > 1}):
        raise ValueError(f"names {', '.join(twice)} more than once")
    return sources


_Written = Annotated[SecretSource, BeforeValidator(_written_short, json_schema_input_type=SecretId | SecretSource)]
SecretSources = Annotated[tuple[_Written, ...], BeforeValidator(_list_of_sources), AfterValidator(_distinct)]
"""Layers of variables, a later one over the earlier ones; a plain string is a source's id."""
