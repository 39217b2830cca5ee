"""What keys of a settings file may hold."""

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

VARIABLE_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
"""What a POSIX shell and Kubernetes' `envFrom` both take as the name of an environment variable."""


def _inside_repository(path: str) -> str:
    parts = Path(path).parts
    if Path(path).is_absolute() or ".." in parts:
        raise ValueError("must be a path inside the repository, relative to its root")
    return path


RelativePath = Annotated[str, Field(min_length=1), AfterValidator(_inside_repository)]
VariableName = Annotated[str, Field(pattern=VARIABLE_NAME)]
BuildSecretId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""What BuildKit takes as the id of a secret, and what is a file's name where it is mounted."""
RepositoryPath = Annotated[
    str, Field(max_length=200, pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*$")
]
"""A repository's name without its registry, in the form that every registry takes."""
SecretId = Annotated[str, Field(min_length=1)]
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")]
"""A Kubernetes resource quantity, such as `500m` or `1Gi`."""


def number_of(quantity: str) -> Decimal:
    """The number that a `Quantity` stands for."""
    number = quantity.rstrip("mkKMGTi")
    unit = quantity.removeprefix(number)
    if unit == "m":
        return Decimal(number) / 1000
    power = "kMGT".index(unit[0].replace("K", "k")) + 1 if unit else 0
    return Decimal(number) * Decimal(1024 if unit.endswith("i") else 1000) ** power


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


class SettingsModel(BaseModel):
    """What is in a file of settings: unknown keys are refused, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)
