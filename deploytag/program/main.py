"""The program behind `__main__.py`: settings and facts in, an `Environment` out."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import pulumi

from deploytag import content
from deploytag.contract import PLACEHOLDER_IMAGE, contract_values
from deploytag.errors import DeployTagError, SettingsError
from deploytag.identity import Identity, identify
from deploytag.preflight import Target, check
from deploytag.program import secret
from deploytag.program.environment import Environment, EnvironmentArgs, Trees
from deploytag.ref import find_ref, find_revision
from deploytag.secrets import DatabaseAddress, database_key, environment_variables
from deploytag.settings import ApplicationSettings, EnvironmentClass, Settings

STAGE = Path(".deploytag")
"""Where contexts and the chart are staged. Relative: the providers compare paths as text."""


async def main() -> pulumi.Inputs:
    """The entry point, for `pulumi.run`.

    Everything that can be known to be wrong is found before the first resource is declared.
    """
    try:
        return (await declare(Path.cwd())).outputs
    except DeployTagError as error:
        raise pulumi.RunError(str(error)) from error


async def declare(repository: Path) -> Environment:
    """The environment of this stack's branch, from the checkout at `repository`.

    Raises:
        DeployTagError: a sentence on what is wrong; nothing was declared.
    """
    config = pulumi.Config()
    settings = Settings.load(repository)
    ref = find_ref(os.environ, config.get("branch"), repository)
    identity = identify(pulumi.get_project(), ref.name)
    refuse_other_stack(identity, pulumi.get_stack())
    _, cls = settings.policy.class_of(ref.name)
    trees = stage(repository, settings.application)
    registry, builder = config.require("registry"), config.get("builder") or None
    address = database_address(identity, config) if cls.database else None
    revision = find_revision(os.environ, repository)
    await check(
        Target(
            identity=identity,
            cluster=settings.policy.cluster,
            registry=registry,
            builder=builder,
            chart=trees.chart.path,
            values=trial_values(identity, revision, settings.application, cls),
            needs_database=cls.database,
            needs_secrets=cls.secret is not None or cls.database,
        ),
        os.environ,
    )
    reserved = frozenset({settings.application.variables.database} if cls.database else ())
    variables = partial(environment_variables, reserved=reserved)
    class_secret = await secret.read(cls.secret, variables) if cls.secret else None
    password_key = await secret.read(cls.database_key, database_key) if cls.database and cls.database_key else None
    return Environment(
        pulumi.get_project(),
        EnvironmentArgs(
            identity=identity,
            revision=revision,
            settings=settings.application,
            cls=cls,
            trees=trees,
            repository=f"{registry}/{pulumi.get_project()}",
            builder=builder,
            secret=class_secret,
            database_key=password_key,
            administrator=os.environ.get("PGUSER", "postgres"),
            address=address,
        ),
    )


def refuse_other_stack(identity: Identity, stack: str) -> None:
    """Refuse to make one branch's environment in another branch's stack."""
    if stack != identity.stack:
        raise SettingsError(
            f"the stack {stack} is not that of the branch {identity.ref}, which is {identity.stack}: nothing was "
            f"touched. Run `pulumi up --stack {identity.stack}`, or give the stack its branch: "
            f"`pulumi config set branch BRANCH --stack {stack}`."
        )


def stage(repository: Path, settings: ApplicationSettings) -> Trees:
    """Stage what the builds and the release read, by content."""
    images = settings.images
    contexts, charts = STAGE / "contexts", STAGE / "charts"
    trees = Trees(
        base=content.stage(repository, [images.base.dockerfile, *images.base.context], contexts),
        app=content.stage(repository, [images.app.dockerfile, *images.app.context], contexts),
        chart=content.stage_chart(repository, settings.chart.path, charts),
    )
    content.prune(contexts, keep=[trees.base.digest, trees.app.digest])
    content.prune(charts, keep=[trees.chart.digest])
    return trees


def trial_values(
    identity: Identity, revision: str, settings: ApplicationSettings, cls: EnvironmentClass
) -> dict[str, Any]:
    """The chart's values as they will be, with placeholders for what only the run itself makes."""
    contract = contract_values(
        image=PLACEHOLDER_IMAGE,
        ref=identity.ref,
        revision=revision,
        env_secret="env-placeholder" if cls.secret or cls.database else "",
        database=cls.database,
        migrations=cls.migrations,
        names=settings.variables,
    )
    return {**settings.chart.values, **contract}


def database_address(identity: Identity, config: pulumi.Config) -> DatabaseAddress:
    """Where pods reach the database: the server the administrator uses, unless the stack's config says otherwise."""
    host = config.get("databaseHost") or os.environ.get("PGHOST")
    if not host:
        raise SettingsError(
            "no database server is named: set PGHOST (with PGUSER and PGPASSWORD of its administrator), or give the "
            "class `database: false`."
        )
    port = config.get_int("databasePort") or int(os.environ.get("PGPORT", "5432"))
    return DatabaseAddress(host, port, identity.database, identity.role, os.environ.get("PGSSLMODE"))
