"""The environment variables of the pods, as one immutable Kubernetes Secret."""

from dataclasses import asdict, dataclass

import pulumi
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from deploytag.identity import Identity
from deploytag.ownership import annotations, labels
from deploytag.passwords import DatabaseAddress
from deploytag.program.database import Database
from deploytag.program.secret import SecretVersions
from deploytag.secrets import determinants, env_secret_name


@dataclass(frozen=True, slots=True)
class VariablesArgs:
    """Where the variables come from: the class's secrets, and the database's URL under its configured name."""

    identity: Identity
    namespace: pulumi.Input[list[pulumi.Input[pulumi.Resource]]]
    """What has to stand before anything can be made in it."""
    secrets: SecretVersions[dict[str, str]] | None
    database: Database | None
    address: DatabaseAddress | None
    key: SecretVersions[str] | None
    database_variable: str


class Variables(pulumi.ComponentResource):
    """A Secret named by everything non-secret that decides its content.

    A rotated secret is another version, hence another name, hence another Secret: the pods that refer to it roll by
    themselves, and the old Secret stays until they have.
    """

    secret: core.Secret
    name: str

    def __init__(self, name: str, args: VariablesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("deploytag:index:Variables", name, None, opts)
        self.name = env_secret_name(
            {
                "secrets": determinants(args.secrets.versions if args.secrets else ()),
                "database": asdict(args.address) if args.address else None,
                "key": determinants(args.key.versions if args.key else ()),
                "database_variable": args.database_variable,
            }
        )
        self.secret = core.Secret(
            name,
            metadata=ObjectMetaArgs(
                name=self.name,
                namespace=args.identity.namespace,
                labels=labels(args.identity),
                annotations=annotations(args.identity),
            ),
            immutable=True,
            string_data=_content(args),
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.namespace),
        )
        self.register_outputs({"name": self.name})


def _content(args: VariablesArgs) -> pulumi.Output[dict[str, str]]:
    variables: pulumi.Output[dict[str, str]] = args.secrets.content if args.secrets else pulumi.Output.secret({})
    if args.database is None:
        return variables
    return pulumi.Output.all(variables, args.database.url).apply(lambda it: {**it[0], args.database_variable: it[1]})
