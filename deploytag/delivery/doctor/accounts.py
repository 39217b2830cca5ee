"""AWS Secrets Manager and the database server: whom they take us for, and what that one may do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import boto3
import psycopg
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from deploytag.administrator import Administrator
from deploytag.delivery.doctor.findings import Finding, ok, problem, warning
from deploytag.delivery.secret_versions import mounted_in, sources_of, version_of
from deploytag.errors import SecretError
from deploytag.preflight.database import connect, refused
from deploytag.settings import Settings

TIMEOUT = 5
"""Seconds for one answer."""


def aws(settings: Settings) -> Iterator[Finding]:
    """Who we are, and each secret of the classes: whether it is there, never what is in it."""
    wanted = secret_ids(settings)
    if not wanted:
        yield ok("not needed: no class has a secret or a database")
        return
    yield from _asked(settings, wanted)
    yield from shared_keys(settings)


def _asked(settings: Settings, wanted: Mapping[str, str]) -> Iterator[Finding]:
    # One retry: a check that waits for a silent network must end before its own limit.
    config = Config(connect_timeout=TIMEOUT, read_timeout=TIMEOUT, retries={"total_max_attempts": 1})
    cure = "Set AWS_REGION and credentials (AWS_PROFILE, AWS_ROLE_ARN or AWS_ACCESS_KEY_ID)."
    try:
        session = boto3.Session()
        yield ok(session.client("sts", config=config).get_caller_identity()["Arn"])
        secrets = session.client("secretsmanager", config=config)
    except (BotoCoreError, ClientError) as error:
        yield problem(f"no usable credentials: {error}", cure)
        return
    for secret_id, used_by in wanted.items():
        try:
            described = secrets.describe_secret(SecretId=secret_id)
        except BotoCoreError as error:
            yield problem(f"Secrets Manager cannot be asked for {secret_id}: {error}", cure)
        except ClientError as error:
            yield _undescribed(secret_id, used_by, error)
        else:
            yield _described(secret_id, used_by, deleted="DeletedDate" in described)
            yield from _versions(secret_id, settings, described.get("VersionIdsToStages", {}))


def secret_ids(settings: Settings) -> dict[str, str]:
    """Each secret that the policy names, and what for. Pure."""
    wanted: dict[str, str] = {}
    for name, cls in settings.policy.classes.items():
        for source in cls.secrets:
            wanted.setdefault(source.id, f"the variables of {name}")
        if cls.database and cls.database_key:
            wanted.setdefault(cls.database_key, f"the database passwords of {name}")
        for source in mounted_in(cls):
            wanted.setdefault(source.id, f"the builds of {name}")
    return wanted


def shared_keys(settings: Settings) -> Iterator[Finding]:
    """Each key from which the database passwords of several classes are derived. Pure."""
    classes: dict[str, list[str]] = {}
    for name, cls in settings.policy.classes.items():
        if cls.database and cls.database_key:
            classes.setdefault(cls.database_key, []).append(name)
    for key, names in classes.items():
        if len(names) > 1:
            yield warning(
                f"the database passwords of {', '.join(names)} are derived from one key, {key}: whoever can read it "
                "for one of these classes has those of all",
                "Where they do not trust each other, make a key for each and name it in the policy (`database_key`).",
            )


def _versions(secret_id: str, settings: Settings, stages: Mapping[str, list[str]]) -> Iterator[Finding]:
    """The versions of the secret that the policy names and that are not there."""
    classes = settings.policy.classes.values()
    sources = [source for cls in classes for source in (*sources_of(cls), *mounted_in(cls))]
    for said in sorted(
        {source.said for source in sources if source.id == secret_id and not version_of(source, stages)}
    ):
        yield problem(f"there is no version {said}", "Name another `stage` or `version` in the policy.", SecretError)


def _described(secret_id: str, used_by: str, *, deleted: bool) -> Finding:
    if deleted:
        return problem(
            f"the secret {secret_id} ({used_by}) is scheduled for deletion",
            f"`aws secretsmanager restore-secret --secret-id {secret_id}`",
            SecretError,
        )
    return ok(f"the secret {secret_id} is there ({used_by})")


def _undescribed(secret_id: str, used_by: str, error: ClientError) -> Finding:
    code = error.response.get("Error", {}).get("Code", "")
    if code == "ResourceNotFoundException":
        return problem(
            f"there is no secret {secret_id} ({used_by})", "Create it, or name another in the policy.", SecretError
        )
    if code == "AccessDeniedException":
        return warning(
            f"the secret {secret_id} ({used_by}) may not be described, so whether a run can read it is not known",
            "Allow secretsmanager:DescribeSecret and GetSecretValue on it.",
        )
    return problem(f"the secret {secret_id} ({used_by}) cannot be described: {error}", kind=SecretError)


def database(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether the administrator can make databases and roles."""
    if not any(cls.database for cls in settings.policy.classes.values()):
        yield ok("not needed: no class has a database")
        return
    administrator = Administrator.from_environ(environ)
    where = f"{administrator.user} at {administrator.host}:{administrator.port}"
    try:
        with connect(administrator) as connection:
            row = connection.execute(
                "SELECT rolcreatedb OR rolsuper, rolcreaterole OR rolsuper, pg_is_in_recovery(), "
                "current_setting('server_version_num')::int, "
                "array(SELECT datname::text FROM pg_database WHERE datallowconn "
                "AND datname IN ('postgres', 'template1') AND has_database_privilege('public', oid, 'CONNECT')) "
                "FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
    except psycopg.Error as error:
        raise refused(administrator, error) from None
    if row is not None:
        yield from rights(where, Rights(*row))


PUBLIC_SCHEMA_CLOSED = 150000
"""The version since which only a database's owner may: https://www.postgresql.org/docs/release/15.0/."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What the server says of itself and of the administrator."""

    create_database: bool
    create_role: bool
    standby: bool
    version: int
    """170002 is 17.2."""
    public: list[str]
    """Those of PostgreSQL's own databases that any role may connect to."""


def rights(where: str, found: Rights) -> Iterator[Finding]:
    """What they mean. Pure."""
    if found.standby:
        yield problem(f"{where} is a standby, where nothing can be made", "Name the primary server in PGHOST.")
        return
    rights_by_name = {"CREATEDB": found.create_database, "CREATEROLE": found.create_role}
    lacking = [name for name, held in rights_by_name.items() if not held]
    if lacking:
        role = where.partition(" ")[0]
        yield problem(
            f"{where} lacks {' and '.join(lacking)}", f"As a superuser: ALTER ROLE {role} {' '.join(lacking)}"
        )
    else:
        yield ok(f"{where} may make databases and roles; PostgreSQL {found.version // 10000}")
    if found.version < PUBLIC_SCHEMA_CLOSED:
        yield warning(
            f"PostgreSQL {found.version // 10000} lets any role make objects in the schema `public` of a database that "
            "it gets into",
            "Use PostgreSQL 15 or newer.",
        )
    if public := ", ".join(found.public):
        yield warning(
            f"every environment's role may connect to {public}",
            f"Once: GRANT CONNECT ON DATABASE {public} TO {where.partition(' ')[0]}; "
            f"REVOKE CONNECT ON DATABASE {public} FROM PUBLIC",
        )
