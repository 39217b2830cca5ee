"""The program behind `__main__.py`: settings and facts in, an `Environment` out."""

import os
import signal
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pulumi

from deploytag.administrator import Administrator
from deploytag.contract import CHART_VARIABLES, PLACEHOLDER_IMAGE, ContractValues, access_values, contract_values
from deploytag.errors import DeployTagError, SettingsError
from deploytag.identity import Identity, identify
from deploytag.preflight import Target, check
from deploytag.program import secret
from deploytag.program.environment import Environment, EnvironmentArgs
from deploytag.program.images import digest_of_tag
from deploytag.program.secret import SecretVersion
from deploytag.ref import find_ref, find_revision
from deploytag.secrets import DatabaseAddress, database_key, environment_variables, text
from deploytag.settings import ApplicationSettings, EnvironmentClass, Settings
from deploytag.trees import stage

TARGETS = {
    "kubernetes": ("kubeconfig", "context", "cluster"),
    "postgresql": ("host", "port", "username", "password", "database", "sslmode"),
}
"""Provider settings that would lead elsewhere than where this program looked before it touches anything."""


async def main(environment: type[Environment] = Environment) -> pulumi.Inputs:
    """The entry point, for `pulumi.run`; give it a subclass to deploy more.

    Everything that can be known to be wrong is found before the first resource is declared.
    """
    # The engine interrupts its program when a resource failed, and the failure is all a person needs to see: Python
    # would add a traceback of wherever it was waiting.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        return (await declare(Path.cwd(), environment)).outputs
    except DeployTagError as error:
        raise pulumi.RunError(str(error)) from error


async def declare(repository: Path, environment: type[Environment] = Environment) -> Environment:
    """The environment of this stack's branch, from the checkout at `repository`.

    Raises:
        DeployTagError: a sentence on what is wrong; nothing was declared.
    """
    config = pulumi.Config()
    settings = Settings.load(repository)
    refuse_other_targets()
    ref = find_ref(os.environ, config.get("branch"), repository)
    identity = identify(pulumi.get_project(), ref.name)
    refuse_other_stack(identity, pulumi.get_stack())
    cls = settings.policy.class_of(ref.name)
    trees = stage(repository, settings.application)
    registry, builder = config.require("registry"), config.get("builder") or None
    administrator = Administrator.from_environ(os.environ) if cls.database else None
    revision = find_revision(os.environ, repository)
    more_values = environment.more_values(settings.application, cls)
    seen = await check(
        Target(
            identity=identity,
            cluster=settings.policy.cluster,
            registry=registry,
            builder=builder,
            chart=trees.chart.path,
            values={**more_values, **trial_values(identity, revision, settings.application, cls)},
            administrator=administrator,
            needs_secrets=cls.secret is not None or cls.database or bool(cls.build_secrets),
        ),
        os.environ,
    )
    return environment(
        pulumi.get_project(),
        EnvironmentArgs(
            identity=identity,
            revision=revision,
            settings=settings.application,
            cls=cls,
            trees=trees,
            repository=f"{registry}/{pulumi.get_project()}",
            builder=builder,
            secret=read_variables(settings.application, cls),
            database_key=secret.read(cls.database_key, database_key) if cls.database and cls.database_key else None,
            administrator=administrator.user if administrator else None,
            address=database_address(identity, administrator, config) if administrator else None,
            asleep=asleep(os.environ),
            build_secrets={id_: secret.read(it, text).content for id_, it in cls.build_secrets.items()},
            deployers=seen.deployers,
            base_from=digest_of_tag(follow) if (follow := settings.application.images.base.follow) else None,
        ),
    )


def asleep(environ: Mapping[str, str]) -> bool:
    """What DEPLOYTAG_ASLEEP says. Not the stack's config: a file would keep the next push from waking it."""
    said = environ.get("DEPLOYTAG_ASLEEP", "")
    if said not in ("", "true", "false"):
        raise SettingsError(f"DEPLOYTAG_ASLEEP is {said!r}: `true`, `false` or unset is allowed. Nothing was touched.")
    return said == "true"


def read_variables(settings: ApplicationSettings, cls: EnvironmentClass) -> SecretVersion[dict[str, str]] | None:
    """The class's environment variables; None where it has none, by choice."""
    if cls.secret is None:
        return None
    names = settings.variables
    reserved = CHART_VARIABLES | {names.redis} | ({names.database} if cls.database else set())
    return secret.read(cls.secret, partial(environment_variables, reserved=reserved))


def refuse_other_targets() -> None:
    """Refuse provider settings that lead to another cluster or database server than the one that was looked at."""
    found = [
        f"{provider}:{key}"
        for provider, keys in TARGETS.items()
        for key in keys
        if pulumi.Config(provider).get(key) is not None
    ]
    if found:
        raise SettingsError(
            f"the stack's config sets {', '.join(found)}, so what would be touched is not what was checked: "
            "nothing was touched. Say it by KUBECONFIG and the PG* variables, and remove it: "
            f"`pulumi config rm {found[0]} --stack {pulumi.get_stack()}`."
        )


def refuse_other_stack(identity: Identity, stack: str) -> None:
    """Refuse to make one branch's environment in another branch's stack."""
    if stack != identity.stack:
        raise SettingsError(
            f"the stack {stack} is not that of the branch {identity.ref}, which is {identity.stack}: nothing was "
            f"touched. Run `pulumi up --stack {identity.stack}`, or give the stack its branch: "
            f"`pulumi config set branch BRANCH --stack {stack}`."
        )


def trial_values(
    identity: Identity, revision: str, settings: ApplicationSettings, cls: EnvironmentClass
) -> ContractValues:
    """The contract's values as they will be, with placeholders for what only the run itself makes."""
    return contract_values(
        image=PLACEHOLDER_IMAGE,
        ref=identity.ref,
        revision=revision,
        env_secret="env-placeholder" if cls.secret or cls.database else "",
        database=cls.database,
        migrations=cls.migrations,
        names=settings.variables,
        access=access_values(cls.access, identity),
    )


def database_address(identity: Identity, administrator: Administrator, config: pulumi.Config) -> DatabaseAddress:
    """Where pods reach the database: the server the administrator uses, unless the stack's config says otherwise."""
    return DatabaseAddress(
        host=config.get("databaseHost") or administrator.host,
        port=config.get_int("databasePort") or administrator.port,
        database=identity.database,
        role=identity.role,
        sslmode=config.get("databaseSslmode") or administrator.sslmode,
    )
