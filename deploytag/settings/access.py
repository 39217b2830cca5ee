"""How the environments of a class are reached: by a load balancer each, or through the cluster's ingress controller."""

from __future__ import annotations

import re
from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from deploytag.identity import NAME_LIMIT
from deploytag.settings.types import SettingsModel

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_WILDCARD = re.compile(rf"\*(\.{_LABEL})+")
_LONGEST_HOST = 253


class Expose(StrEnum):
    """What makes the address."""

    LOADBALANCER = "loadbalancer"
    """A load balancer for each environment."""
    INGRESS = "ingress"
    """An Ingress for each, behind the one load balancer of an ingress controller."""


class Cloud(StrEnum):
    """Whose load balancers can be kept inside of a private network by an annotation that is known here."""

    AWS = "aws"
    AZURE = "azure"
    GCP = "gcp"


INTERNAL = {
    # kubernetes-sigs.github.io/aws-load-balancer-controller, "Service annotations": the network load balancer's scheme.
    # The older controller inside of Kubernetes knows `aws-load-balancer-internal` instead: hence both.
    Cloud.AWS: {
        "service.beta.kubernetes.io/aws-load-balancer-scheme": "internal",
        "service.beta.kubernetes.io/aws-load-balancer-internal": "true",
    },
    # learn.microsoft.com/azure/aks/internal-lb
    Cloud.AZURE: {"service.beta.kubernetes.io/azure-load-balancer-internal": "true"},
    # cloud.google.com/kubernetes-engine/docs/how-to/internal-load-balancing
    Cloud.GCP: {"networking.gke.io/load-balancer-type": "Internal"},
}
"""The annotations of a Service whose load balancer gets a private address."""


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise ValueError(f"must be a network such as 192.0.2.0/24: {error}") from None


def _wildcard(text: str) -> str:
    if not _WILDCARD.fullmatch(text) or len(text) - 1 + NAME_LIMIT > _LONGEST_HOST:
        raise ValueError("must be a star and a domain in lower case, such as *.preview.example.org")
    return text


class Ingress(SettingsModel):
    """Where the Ingress of an environment leads from."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)

    class_name: str = Field(
        alias="class", pattern=rf"^{_LABEL}(\.{_LABEL})*$", description="the IngressClass of the cluster's controller"
    )
    host: Annotated[str, AfterValidator(_wildcard)] = Field(
        description="`*.preview.example.org`: the star becomes the environment's name. DNS has to lead all of these "
        "hosts to the controller"
    )
    tls: bool = Field(
        default=False, description="the URL is https; without `tls_secret` by the controller's own certificate"
    )
    tls_secret: str | None = Field(
        default=None,
        pattern=rf"^{_LABEL}(\.{_LABEL})*$",
        description="Secret with the certificate, which something else puts into each namespace",
    )

    @model_validator(mode="after")
    def _secret_means_tls(self) -> Self:
        if self.tls_secret and not self.tls:
            raise ValueError("`tls_secret` needs `tls: true`")
        return self


class Access(SettingsModel):
    """Who can reach the environments of a class. By default each has a load balancer, as the cluster makes them."""

    expose: Expose = Field(default=Expose.LOADBALANCER, description="`loadbalancer`: one for each; `ingress`: shared")
    internal: Cloud | None = Field(
        default=None,
        description="load balancers with private addresses only, in this cloud; elsewhere use `annotations`",
    )
    source_ranges: tuple[Annotated[str, AfterValidator(_network)], ...] = Field(
        default=(), description="networks from which a load balancer may be reached: 192.0.2.0/24"
    )
    annotations: dict[str, str] = Field(
        default_factory=dict, description="of the Service or Ingress that has the address, as its controller reads them"
    )
    ingress: Ingress | None = Field(default=None, description="for `expose: ingress`")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        by_ingress = self.expose is Expose.INGRESS
        if by_ingress and self.ingress is None:
            raise ValueError("`expose: ingress` needs `ingress` with its class and host")
        if not by_ingress and self.ingress is not None:
            raise ValueError("`ingress` needs `expose: ingress`")
        if by_ingress and (self.internal or self.source_ranges):
            raise ValueError(
                "`internal` and `source_ranges` are of load balancers; an ingress controller reads `annotations`"
            )
        return self

    @property
    def said(self) -> str:
        """In a few words, for a person."""
        if self.ingress:
            return f"ingress {self.ingress.host} of class {self.ingress.class_name}"
        kind = f"internal load balancer ({self.internal})" if self.internal else "load balancer"
        return f"{kind}, from {', '.join(self.source_ranges)}" if self.source_ranges else kind

    @property
    def is_default(self) -> bool:
        """Whether it asks a chart for nothing but a load balancer."""
        return self == Access()

    @property
    def all_annotations(self) -> dict[str, str]:
        """Those of the cloud, and the settings' own, which win."""
        return {**(INTERNAL[self.internal] if self.internal else {}), **self.annotations}
