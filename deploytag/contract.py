"""The contract between program and chart: the values the one gives the other. Pure.

`charts/app/values.schema.json` states the same contract for the chart. Nothing secret travels here: the environment's
Secret goes by its name.
"""

from typing import Any, NotRequired, TypedDict

from deploytag.address import host_of
from deploytag.identity import Identity
from deploytag.settings import Access, ApplicationSettings, EnvironmentClass, Variables

SERVICE_ACCOUNT = "app"
"""The service account the program makes and the chart's pods run as."""

PLACEHOLDER_IMAGE = "registry.invalid/app@sha256:" + "0" * 64
"""Stands for the image when a chart is only rendered to see whether it can be."""

CHART_VARIABLES = frozenset({"DEPLOYTAG_REF", "DEPLOYTAG_REVISION", "DEPLOYTAG_ENV_SECRET"})
"""Environment variables that a chart sets itself, beside those of its services."""


class Switch(TypedDict):
    """Something a chart leaves out when it is off."""

    enabled: bool


class IngressValues(TypedDict):
    """The Ingress that leads to the Service."""

    className: str
    host: str
    tls: bool
    tlsSecret: str
    """Empty: the controller's own certificate."""


class AccessValues(TypedDict):
    """How the environment is reached, where its class says more than that it has a load balancer."""

    expose: str
    """`loadbalancer` or `ingress`."""
    annotations: dict[str, str]
    """Of the Service or Ingress with the address."""
    sourceRanges: list[str]
    """Of the Service; empty: everybody."""
    ingress: IngressValues | None


class ContractValues(TypedDict):
    """What every chart is told."""

    image: Any
    """`repository:tag@sha256:…`; an output in the program."""
    ref: str
    revision: str
    serviceAccount: str
    envSecret: str
    """Name of the Secret with the pods' variables; empty when there are none."""
    asleep: bool
    """Whether nothing is to run: no web, no worker, no cron job."""
    database: Switch
    migrations: Switch
    variables: dict[str, str]
    """Under which names the application finds its services."""
    access: NotRequired[AccessValues]
    """Left out where the class asks for nothing, so that a chart need not know it."""


def access_values(access: Access, identity: Identity) -> AccessValues | None:
    """What a class's access means for one environment; None: no more than a load balancer."""
    if access.is_default:
        return None
    ingress = access.ingress
    return AccessValues(
        expose=access.expose.value,
        annotations=access.all_annotations,
        sourceRanges=list(access.source_ranges),
        ingress=IngressValues(
            className=ingress.class_name,
            host=host_of(ingress.host, identity),
            tls=ingress.tls,
            tlsSecret=ingress.tls_secret or "",
        )
        if ingress
        else None,
    )


def contract_values(
    *,
    image: Any,
    ref: str,
    revision: str,
    env_secret: str,
    database: bool,
    migrations: bool,
    names: Variables,
    asleep: bool = False,
    access: AccessValues | None = None,
) -> ContractValues:
    """The values for one environment."""
    values = ContractValues(
        image=image,
        ref=ref,
        revision=revision,
        serviceAccount=SERVICE_ACCOUNT,
        envSecret=env_secret,
        asleep=asleep,
        database=Switch(enabled=database),
        migrations=Switch(enabled=database and migrations),
        variables={"database": names.database, "redis": names.redis},
    )
    return {**values, "access": access} if access else values


def trial_values(
    identity: Identity, revision: str, settings: ApplicationSettings, cls: EnvironmentClass
) -> ContractValues:
    """The values as they will be, with placeholders for what only a run itself makes."""
    return contract_values(
        image=PLACEHOLDER_IMAGE,
        ref=identity.ref,
        revision=revision,
        env_secret="env-placeholder" if cls.secrets or cls.database else "",
        database=cls.database,
        migrations=cls.migrations,
        names=settings.variables,
        access=access_values(cls.access, identity),
    )
