"""Environments of every kind of class, for the program tests."""

from collections.abc import Set as AbstractSet
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import PurePosixPath
from typing import Any

import pulumi

from deploytag.administrator import Administrator
from deploytag.content import StagedTree
from deploytag.identity import identify
from deploytag.passwords import DatabaseAddress
from deploytag.program import Environment, EnvironmentArgs
from deploytag.program.main import read_variables
from deploytag.program.secret import read_text
from deploytag.settings import ApplicationSettings, EnvironmentClass, SecretSource
from deploytag.trees import Trees
from tests.program.world import KEY_ID, PROJECT, SECRET_ID, World, run

FULL = EnvironmentClass(pattern="feature/*", secrets=(SecretSource(id=SECRET_ID),), database_key=KEY_ID)
COMBINATIONS = {
    "everything": FULL,
    "no migrations": FULL.model_copy(update={"migrations": False}),
    "no database": FULL.model_copy(update={"database": False, "migrations": False, "database_key": None}),
    "no secret": FULL.model_copy(update={"secrets": ()}),
    "neither secret nor database": FULL.model_copy(
        update={"secrets": (), "database": False, "migrations": False, "database_key": None}
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
    failing: AbstractSet[str] = frozenset(),
    **changed: Any,
) -> World:
    """Declare one environment and return what was registered."""
    identity = identify(PROJECT, ref)

    async def program() -> pulumi.Inputs:
        args = EnvironmentArgs(
            identity=identity,
            revision="0123abcd",
            settings=settings or ApplicationSettings(),
            cls=cls,
            trees=Trees(base=tree("base"), app=tree("app"), chart=tree("chart")),
            repository=f"registry.test/{PROJECT}",
            builder="deploytag",
            secrets=read_variables(settings or ApplicationSettings(), cls),
            database_key=read_text(cls.database_key) if cls.database and cls.database_key else None,
            build_secrets={id_: read_text(it).content for id_, it in cls.build_secrets.items()},
            administrator=Administrator("db.test", user="administrator") if cls.database else None,
            address=DatabaseAddress("db.test", 5432, identity.database, identity.role) if cls.database else None,
            database_networks=(IPv4Network("192.0.2.7/32"),) if cls.database else (),
        )
        return environment(PROJECT, replace(args, **changed)).outputs

    return run(program, stack=identity.stack, preview=preview, secrets=secrets, failing=failing)
