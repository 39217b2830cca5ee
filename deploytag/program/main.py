"""The program behind `__main__.py`: settings and facts in, an `Environment` out."""

import os
import signal
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pulumi

from deploytag.administrator import Administrator
from deploytag.contract import trial_values
from deploytag.credentials import secret_values
from deploytag.errors import DeployTagError, SettingsError
from deploytag.identity import Identity, identify
from deploytag.passwords import DatabaseAddress
from deploytag.preflight import Target, check, networks_of_database
from deploytag.program import secret
from deploytag.program.environment import Environment, EnvironmentArgs
from deploytag.program.images import digest_of_tag
from deploytag.program.secret import SecretVersions
from deploytag.redaction import learn, redact
from deploytag.ref import find_ref, find_revision
from deploytag.secrets import environment_variables, reserved_names
from deploytag.settings import POLICY_FILE, ApplicationSettings, EnvironmentClass, Isolation, Network
from deploytag.trees import stage
from deploytag.trust import in_force

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
    learn(secret_values(os.environ))
    try:
        return (await declare(Path.cwd(), environment)).outputs
    except DeployTagError as error:
        raise pulumi.RunError(redact(str(error))) from None


async def declare(repository: Path, environment: type[Environment] = Environment) -> Environment:
    """The environment of this stack's branch, from the checkout at `repository`.

    Raises:
        DeployTagError: a sentence on what is wrong; nothing was declared.
    """
    config = pulumi.Config()
    settings = ApplicationSettings.load(repository)
    policy = in_force(repository, os.environ).policy
    refuse_other_targets()
    ref = find_ref(os.environ, config.get("branch"), repository)
    identity = identify(pulumi.get_project(), ref.name)
    refuse_other_stack(identity, pulumi.get_stack())
    cls = policy.class_of(ref.name)
    trees = stage(repository, settings)
    registry, builder = config.require("registry"), config.get("builder") or None
    administrator = Administrator.from_environ(os.environ) if cls.database else None
    revision = find_revision(os.environ, repository)
    more_values = environment.more_values(settings, cls)
    seen = await check(
        Target(
            identity=identity,
            cluster=policy.cluster,
            registry=registry,
            builder=builder,
            chart=trees.chart.path,
            values={**more_values, **trial_values(identity, revision, settings, cls)},
            administrator=administrator,
            needs_secrets=bool(cls.secrets) or cls.database or bool(cls.build_secrets),
            isolation=cls.isolation,
        ),
        os.environ,
    )
    cls = cls.model_copy(update={"isolation": seen.isolation})
    address = database_address(identity, administrator, config) if administrator else None
    return environment(
        pulumi.get_project(),
        EnvironmentArgs(
            identity=identity,
            revision=revision,
            settings=settings,
            cls=cls,
            trees=trees,
            repository=f"{registry}/{cls.image_repository or pulumi.get_project()}",
            builder=builder,
            secrets=read_variables(settings, cls),
            database_key=secret.read_text(cls.database_key) if cls.database and cls.database_key else None,
            administrator=administrator,
            address=address,
            database_networks=await database_networks(cls.isolation, address, administrator),
            asleep=asleep(os.environ),
            build_secrets={id_: secret.read_text(it).content for id_, it in cls.build_secrets.items()},
            deployers=seen.deployers,
            base_from=digest_of_tag(follow) if (follow := settings.images.base.follow) else None,
        ),
    )


def asleep(environ: Mapping[str, str]) -> bool:
    """What DEPLOYTAG_ASLEEP says. Not the stack's config: a file would keep the next push from waking it."""
    said = environ.get("DEPLOYTAG_ASLEEP", "")
    if said not in ("", "true", "false"):
        raise SettingsError(f"DEPLOYTAG_ASLEEP is {said!r}: `true`, `false` or unset is allowed. Nothing was touched.")
    return said == "true"


def read_variables(settings: ApplicationSettings, cls: EnvironmentClass) -> SecretVersions[dict[str, str]] | None:
    """The class's environment variables; None where it has none, by choice."""
    reserved = reserved_names(settings.variables, database=cls.database)
    compose = partial(environment_variables, reserved=reserved, required=settings.variables.required)
    read = secret.read_layers(cls.secrets, compose)
    return read if cls.secrets else None


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
            f"touched. Run `pulumi up --stack {identity.stack}`, or `git switch` to the stack's branch, or tell the "
            f"stack its branch: `pulumi config set branch BRANCH --stack {stack}`."
        )


async def database_networks(
    isolation: Isolation, address: DatabaseAddress | None, administrator: Administrator | None
) -> tuple[Network, ...]:
    """Where the database may be reached: what the policy names, else what its name resolves to at this moment.

    Raises:
        SettingsError: the branch's config names another server or port than the administrator's, and the policy does
            not.
        UnreachableError: it does not resolve here.
    """
    if address is None or administrator is None or not isolation.network:
        return ()
    if isolation.database_cidrs:
        if address.port not in (administrator.port, *isolation.database_ports):
            raise SettingsError(
                f"the stack's config says that pods reach the database at port {address.port}: nothing was touched, as "
                f"a branch does not decide what its pods may connect to. Name the port in {POLICY_FILE}, "
                "`isolation.database_ports` of the class."
            )
        return isolation.database_cidrs
    if (address.host, address.port) != (administrator.host, administrator.port):
        raise SettingsError(
            f"the stack's config says that pods reach the database at {address.host}:{address.port}, and PGHOST and "
            f"PGPORT say {administrator.host}:{administrator.port}: nothing was touched, as a branch does not decide "
            f"what its pods may connect to. Name that server's addresses in {POLICY_FILE}, "
            "`isolation.database_cidrs` of the class."
        )
    return await networks_of_database(address.host)


def database_address(identity: Identity, administrator: Administrator, config: pulumi.Config) -> DatabaseAddress:
    """Where pods reach the database: the server the administrator uses, unless the stack's config says otherwise."""
    return DatabaseAddress(
        host=config.get("databaseHost") or administrator.host,
        port=config.get_int("databasePort") or administrator.port,
        database=identity.database,
        role=identity.role,
        sslmode=config.get("databaseSslmode") or administrator.sslmode,
    )
