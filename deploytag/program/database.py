"""The branch's own database: a role that can reach nothing else, and the database it owns."""

from dataclasses import dataclass

import pulumi
import pulumi_postgresql as postgresql
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from deploytag.administrator import Administrator
from deploytag.identity import Identity
from deploytag.ownership import SYSTEM_NAMESPACE, labels, ledger_annotations, ledger_entry
from deploytag.passwords import DatabaseAddress, database_password, password_verifier
from deploytag.program.secret import SecretVersions


@dataclass(frozen=True, slots=True)
class DatabaseArgs:
    """Whose database, where, and the key its password is derived from."""

    identity: Identity
    address: DatabaseAddress
    key: SecretVersions[str]
    administrator: Administrator
    """The role that makes and drops databases, and on which server."""
    connections: int
    """The most connections its role may hold."""
    statement_seconds: int
    """How long one statement may run unless the session says otherwise; 0: for ever."""


class Database(pulumi.ComponentResource):
    """Ledger entry, role, database, and the grants: the administrator in, everybody else out.

    The ledger entry comes first and goes last: whenever the database exists, it is provably this environment's.
    """

    database: postgresql.Database
    access: postgresql.Grant
    name: pulumi.Output[str]
    url: pulumi.Output[str]
    """The connection URI with the password: a secret output."""

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("deploytag:index:Database", name, None, opts)
        identity, address = args.identity, args.address
        ledger = core.ConfigMap(
            f"{name}-ledger",
            metadata=ObjectMetaArgs(
                name=identity.namespace,
                namespace=SYSTEM_NAMESPACE,
                labels=labels(identity),
                annotations=ledger_annotations(identity, args.administrator.server),
            ),
            data=ledger_entry(identity),
            opts=pulumi.ResourceOptions(parent=self),
        )
        password = args.key.content.apply(lambda key: database_password(key, address.role))
        role = postgresql.Role(
            f"{name}-role",
            name=address.role,
            login=True,
            password=args.key.content.apply(lambda key: password_verifier(key, address.role)),
            connection_limit=args.connections,
            statement_timeout=args.statement_seconds * 1000,
            # It owns objects in its own database only, which is dropped before it. REASSIGN OWNED would change nothing:
            # the provider runs it in the administrator's default database, where the role owns nothing.
            skip_reassign_owned=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[ledger]),
        )
        # PostgreSQL lets only an owner, or a member of it, revoke and drop; an administrator without superuser rights
        # (RDS) is neither, and its REVOKE would be a warning without effect.
        administration = postgresql.GrantRole(
            f"{name}-administration",
            role=args.administrator.user,
            grant_role=role.name,
            opts=pulumi.ResourceOptions(
                parent=self,
                deleted_with=role,
                # Since PostgreSQL 16 whoever creates a role is its member with the admin option, and the provider may
                # read that membership for this one.
                ignore_changes=["withAdminOption"],
                delete_before_replace=True,
            ),
        )
        self.database = postgresql.Database(
            name,
            name=address.database,
            owner=role.name,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[administration],
                # Each of these replaces the database, that is: drops its data.
                ignore_changes=["template", "encoding", "lcCollate", "lcCtype"],
            ),
        )
        self.access = postgresql.Grant(
            f"{name}-access",
            database=self.database.name,
            object_type="database",
            role="public",
            # None at all: PostgreSQL lets every role connect to every new database; the owner needs no grant.
            privileges=[],
            opts=pulumi.ResourceOptions(parent=self, deleted_with=self.database),
        )
        self.name = self.database.name
        self.url = pulumi.Output.secret(password.apply(address.url))
        self.register_outputs({"name": self.name})
