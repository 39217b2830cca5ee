"""A class without secrets, made without a library of AWS."""

from deploytag.identity import identify
from deploytag.settings import ApplicationSettings, EnvironmentClass

IDENTITY = identify("shop", "feature/test")
SETTINGS = ApplicationSettings()
CLASS = EnvironmentClass.model_validate({"pattern": "feature/*", "secrets": [], "database": False, "migrations": False})


def never() -> None:
    raise AssertionError("Secrets Manager was asked for nothing")
