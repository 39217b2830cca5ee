"""The environment of one git ref, as a component other programs can use and extend."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from deploytag.administrator import Administrator
from deploytag.contract import ContractValues, access_values, contract_values
from deploytag.identity import Identity
from deploytag.passwords import DatabaseAddress
from deploytag.program.database import Database, DatabaseArgs
from deploytag.program.images import Images, ImagesArgs
from deploytag.program.namespace import Namespace, NamespaceArgs
from deploytag.program.network import DatabaseServer
from deploytag.program.release import Release, ReleaseArgs
from deploytag.program.secret import SecretVersions
from deploytag.program.variables import Variables, VariablesArgs
from deploytag.rights import Subject
from deploytag.settings import ApplicationSettings, EnvironmentClass, Network
from deploytag.trees import Trees


@dataclass(frozen=True, slots=True)
class EnvironmentArgs:
    """Everything that decides an environment."""

    identity: Identity
    revision: str
    settings: ApplicationSettings
    cls: EnvironmentClass
    trees: Trees
    repository: str
    """Registry and path that images are pushed to, the class's own or the project's."""
    builder: str | None
    secrets: SecretVersions[dict[str, str]] | None
    """None where the class has none, by choice."""
    database_key: SecretVersions[str] | None
    administrator: Administrator | None
    """The database server's administrator; None where the class has no database."""
    address: DatabaseAddress | None
    """None where the class has no database."""
    database_networks: tuple[Network, ...] = ()
    """What the address may resolve to; none where nothing restricts what pods reach."""
    base_from: str | None = None
    """`image@sha256:…` that the base image is built from, where the settings follow a tag."""
    asleep: bool = False
    """Whether nothing is to run."""
    build_secrets: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)
    """What the builds may mount, by id: secret outputs."""
    deployers: Sequence[Subject] | None = None
    """Whom the cluster's administrator named for the project; None: nobody, and rights come from elsewhere."""

    def __post_init__(self) -> None:
        parts = (self.address, self.database_key, self.administrator)
        if len({part is None for part in parts}) > 1:
            # Half of it would make an environment without its database: on one that exists, drop the data.
            raise ValueError("a database needs all of its address, its administrator and the key of its password")
        if self.address is not None and self.cls.isolation.network and not self.database_networks:
            raise ValueError("network policies need the networks of the database's address")


class Environment(pulumi.ComponentResource):
    """One isolated copy of the application. Read top to bottom: this is the order of the world.

    Extend it by a subclass that overrides a `make_…` method, or by resources beside it that use its attributes.
    """

    images: Images
    namespace: Namespace
    database: Database | None
    variables: Variables | None
    release: Release

    def __init__(self, name: str, args: EnvironmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("deploytag:index:Environment", name, None, opts)
        self.name, self.args = name, args
        self.images = self.make_images()
        self.namespace = self.make_namespace()
        self.database = self.make_database()
        self.variables = self.make_variables()
        self.release = self.make_release()
        self.register_outputs(self.outputs)

    @property
    def outputs(self) -> dict[str, pulumi.Input[Any]]:
        """The stack outputs: these names are an interface."""
        return {
            "url": self.release.url,
            "namespace": self.namespace.name,
            "release": self.release.name,
            "database": self.database.name if self.database else None,
            "base_image": self.images.base,
            "app_image": self.images.app,
            "env_secret": self.variables.name if self.variables else None,
            "secret_versions": self.secret_versions,
            "ref": self.args.identity.ref,
            "revision": self.args.revision,
        }

    @property
    def secret_versions(self) -> dict[str, str]:
        """The version of each secret that decides this environment, the key of its password included. Not secret."""
        read = [*(self.args.secrets.versions if self.args.secrets else ())]
        if self.args.database_key:
            read += self.args.database_key.versions
        return {source.said: version for source, version in read}

    def make_images(self) -> Images:
        """The base image, and the application image on its digest."""
        args, trees = self.args, self.args.trees
        return Images(
            f"{self.name}-images",
            ImagesArgs(
                args.settings.images,
                trees.base,
                trees.app,
                args.repository,
                args.builder,
                args.base_from,
                args.build_secrets,
            ),
            self._child(),
        )

    def make_namespace(self) -> Namespace:
        """The namespace with its guardrails; not before the image is built, so that a failed build leaves nothing."""
        args, cls = self.args, self.args.cls
        server = DatabaseServer(args.database_networks, args.address.port) if args.address else None
        return Namespace(
            f"{self.name}-namespace",
            NamespaceArgs(args.identity, cls.limits, cls.isolation, server, cls.protected, args.deployers, cls.access),
            self._child(needs=[self.images.app_image]),
        )

    def make_database(self) -> Database | None:
        """The database with its role, where the class has one; not before the image is built."""
        args = self.args
        if args.address is None or args.database_key is None or args.administrator is None:
            return None
        return Database(
            f"{self.name}-database",
            DatabaseArgs(
                identity=args.identity,
                address=args.address,
                key=args.database_key,
                administrator=args.administrator,
                connections=args.cls.limits.database_connections,
                statement_seconds=args.cls.limits.statement_seconds,
            ),
            self._child(needs=[self.images.app_image], protect=args.cls.protected),
        )

    def make_variables(self) -> Variables | None:
        """The pods' variables, where there are any."""
        args = self.args
        if args.secrets is None and self.database is None:
            return None
        return Variables(
            f"{self.name}-variables",
            VariablesArgs(
                identity=args.identity,
                namespace=self.namespace.usable,
                secrets=args.secrets,
                database=self.database,
                address=args.address,
                key=args.database_key,
                database_variable=args.settings.variables.database,
            ),
            self._child(),
        )

    def make_release(self) -> Release:
        """The chart's release, on everything its hooks need. Deleted first: its pods stop before the database goes."""
        needs: list[pulumi.Resource] = [self.namespace.namespace, *self.namespace.guardrails]
        if self.variables:
            needs.append(self.variables.secret)
        if self.database:
            needs += [self.database.database, self.database.access]
        values = {**self.more_values(self.args.settings, self.args.cls), **self.chart_values()}
        return Release(
            f"{self.name}-release",
            ReleaseArgs(
                self.args.identity,
                self.args.trees.chart,
                self.args.settings.chart.timeout,
                values,
                needs,
                self.args.cls.access,
            ),
            self._child(protect=self.args.cls.protected),
        )

    @classmethod
    def more_values(cls, settings: ApplicationSettings, environment_class: EnvironmentClass) -> Mapping[str, Any]:
        """Chart values beside the contract's: the settings' own. A subclass adds what its chart wants.

        Also used to try the chart before anything is made, hence what is known then is all it gets.
        """
        return settings.chart.values

    def chart_values(self) -> ContractValues:
        """What every chart is told."""
        args = self.args
        return contract_values(
            image=self.images.app,
            ref=args.identity.ref,
            revision=args.revision,
            env_secret=self.variables.name if self.variables else "",
            database=self.database is not None,
            migrations=args.cls.migrations,
            names=args.settings.variables,
            asleep=args.asleep,
            access=access_values(args.cls.access, args.identity),
        )

    def _child(self, needs: Sequence[pulumi.Resource] = (), *, protect: bool = False) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=list(needs), protect=protect)
