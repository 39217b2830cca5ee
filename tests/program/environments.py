"""Environments of every kind of class, for the program tests."""

from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import pulumi

from deploytag.content import StagedTree
from deploytag.identity import identify
from deploytag.program import Environment, EnvironmentArgs
from deploytag.program.secret import read
from deploytag.secrets import DatabaseAddress, database_key, environment_variables, text
from deploytag.settings import ApplicationSettings, EnvironmentClass
from deploytag.trees import Trees
from tests.program.world import KEY_ID, PROJECT, SECRET_ID, World, run

FULL = EnvironmentClass(pattern="feature/*", secret=SECRET_ID, database_key=KEY_ID)
COMBINATIONS = {
    "everything": FULL,
    "no migrations": FULL.model_copy(update={"migrations": False}),
    "no database": FULL.model_copy(update={"database": False, "migrations": False, "database_key": None}),
    "no secret": FULL.model_copy(update={"secret": None}),
    "neither secret nor database": FULL.model_copy(
        update={"secret": None, "database": False, "migrations": False, "database_key": None}
    ),
    "protected": FULL.model_copy(update={"protected": True}),
}


def tree(name: str) -> StagedTree:
    digest = name.ljust(64, "0")
    return StagedTree(path=PurePosixPath(".deploytag") / digest, digest=digest)  # type: ignore[arg-type]


def declare(
    ref: str = "feature/test",
    *,
    cls: EnvironmentClass = FULL,
    preview: bool = False,
    secrets: dict[str, dict[str, str]] | None = None,
    settings: ApplicationSettings | None = None,
    environment: type[Environment] = Environment,
    **changed: Any,
) -> World:
    """Declare one environment and return what was registered."""
    identity = identify(PROJECT, ref)

    variables = partial(environment_variables, reserved=frozenset({"DATABASE_URL"}))

    async def program() -> pulumi.Inputs:
        args = EnvironmentArgs(
            identity=identity,
            revision="0123abcd",
            settings=settings or ApplicationSettings(),
            cls=cls,
            trees=Trees(base=tree("base"), app=tree("app"), chart=tree("chart")),
            repository=f"registry.test/{PROJECT}",
            builder="deploytag",
            secret=read(cls.secret, variables) if cls.secret else None,
            database_key=read(cls.database_key, database_key) if cls.database and cls.database_key else None,
            build_secrets={id_: read(it, text).content for id_, it in cls.build_secrets.items()},
            administrator="administrator" if cls.database else None,
            address=DatabaseAddress("db.test", 5432, identity.database, identity.role) if cls.database else None,
        )
        return environment(PROJECT, replace(args, **changed)).outputs

    return run(program, stack=identity.stack, preview=preview, secrets=secrets)
