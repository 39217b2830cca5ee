"""The contract between program and chart: the values the one gives the other. Pure.

`charts/app/values.schema.json` states the same contract for the chart. Nothing secret travels here: the environment's
Secret goes by its name.
"""

from typing import Any, TypedDict

from deploytag.settings import Variables

SERVICE_ACCOUNT = "app"
"""The service account the program makes and the chart's pods run as."""

PLACEHOLDER_IMAGE = "registry.invalid/app@sha256:" + "0" * 64
"""Stands for the image when a chart is only rendered to see whether it can be."""


CHART_VARIABLES = frozenset({"DEPLOYTAG_REF", "DEPLOYTAG_REVISION", "DEPLOYTAG_ENV_SECRET"})
"""Environment variables that a chart sets itself, beside those of its services."""


class Switch(TypedDict):
    """Something a chart leaves out when it is off."""

    enabled: bool


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
) -> ContractValues:
    """The values for one environment."""
    return ContractValues(
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
