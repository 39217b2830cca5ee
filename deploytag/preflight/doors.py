"""Whether a rendered chart lets in those whom the class lets in, and nobody else. Pure.

A chart may ignore what it is told, and an environment runs code that nobody has reviewed: what the policy says of its
access is looked for in the objects themselves.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from deploytag.contract import AccessValues, IngressValues
from deploytag.preflight.rendered import Document, entries, kind_of, name_of, objects, one, several

_Named = Sequence[tuple[str, Document]]
"""Objects by their names. Several may have one: Helm installs one, and the other is a hook that it may never run."""


def wrong_door(release: str, documents: Iterable[Any], access: AccessValues | None) -> str | None:
    """Why the chart's objects would give no URL, or one that others can reach; None when all is as the class says.

    Args:
        access: what the class asks for; None: no more than a load balancer.
    """
    found = list(objects(documents))
    services = [(name_of(it), it) for it in found if kind_of(it) == "Service"]
    ingresses = [(name_of(it), it) for it in found if kind_of(it) == "Ingress"]
    if access is None or access["ingress"] is None:
        complaint = _no_address(release, services) or next(_open_services(services, access), None)
        if complaint is None and ingresses:
            complaint = (
                f"it has an Ingress {ingresses[0][0]}, which leads around the load balancer: leave it out, by "
                "the chart's values if it is a subchart's"
            )
    else:
        complaint = next(_around_the_ingress(release, services), None) or next(
            _open_ingresses(release, ingresses, access["ingress"], access["annotations"]), None
        )
    if complaint is None:
        return None
    ignores = "" if access is None else " The class of the branch says so (`access` in the policy), and the chart is"
    ignores += "" if access is None else " told by `access` in its values: docs/how-to/chart.md."
    return f"the chart cannot be installed: {complaint}. Nothing was touched.{ignores}"


def _no_address(release: str, services: _Named) -> str | None:
    needed = f"it must have a Service named like the release ({release}) of type LoadBalancer, whose address is the URL"
    kinds = {_type(it) for name, it in services if name == release}
    if not kinds:
        return f"{needed}; its Services are: {_list(name for name, _ in services)}"
    if other := kinds - {"LoadBalancer"}:
        return f"{needed}; its Service of that name is of type {_list(other)}"
    return None


def _open_services(services: _Named, access: AccessValues | None) -> Iterator[str]:
    """Services that more can reach than the class says; any, as one beside the URL's leads to the same pods."""
    if access is None:
        return
    ranges = set(access["sourceRanges"])
    for name, service in services:
        if _type(service) == "NodePort":
            yield f"its Service {name} is of type NodePort, which everybody reaches who reaches a node"
        if _type(service) != "LoadBalancer":
            continue
        given = {str(it) for it in several(one(service, "spec"), "loadBalancerSourceRanges")}
        if given != ranges:
            yield (f"its Service {name} must have loadBalancerSourceRanges {_list(ranges)}, and has {_list(given)}")
        if lacking := _lacking(service, access["annotations"]):
            yield f"its Service {name} must have the annotations {_list(lacking)}"
        if more := _annotations(service).keys() - access["annotations"].keys():
            yield (
                f"its Service {name} has the annotations {_list(more)}, by which it might ask its controller for "
                "another load balancer; those that are meant are named by the class (`access.annotations`)"
            )
        if other := one(service, "spec").get("loadBalancerClass"):
            yield (
                f"its Service {name} has the loadBalancerClass {other}, whose controller may read other annotations "
                "and no source ranges; it must be left out"
            )


def _around_the_ingress(release: str, services: _Named) -> Iterator[str]:
    if release not in dict(services):
        yield f"it must have a Service named like the release ({release}), which its Ingress leads to"
    for name, service in services:
        if (kind := _type(service)) in ("LoadBalancer", "NodePort"):
            yield f"its Service {name} is of type {kind}, which leads around the Ingress; it must be a ClusterIP"
        if kind == "ExternalName":
            yield (
                f"its Service {name} is of type ExternalName, by which the ingress controller would lead to whatever "
                "it reaches itself, such as other environments"
            )


def _open_ingresses(
    release: str, ingresses: _Named, wanted: IngressValues, annotations: Mapping[str, str]
) -> Iterator[str]:
    host, class_name = wanted["host"], wanted["className"]
    if release not in dict(ingresses):
        yield f"it must have an Ingress named like the release ({release}) for the host {host}"
    for name, ingress in ingresses:
        spec = one(ingress, "spec")
        hosts = {str(rule.get("host") or "any host") for rule in entries(spec, "rules")}
        hosts |= {str(it) for entry in entries(spec, "tls") for it in several(entry, "hosts")}
        if hosts != {host} or spec.get("defaultBackend"):
            said = _list(hosts | ({"any host"} if spec.get("defaultBackend") else set()))
            yield f"its Ingress {name} must be for the host {host} alone, and is for {said}"
        if spec.get("ingressClassName") != class_name:
            yield f"its Ingress {name} must be of the class {class_name}, and is of {spec.get('ingressClassName')}"
        if lacking := _lacking(ingress, annotations):
            yield f"its Ingress {name} must have the annotations {_list(lacking)}"
        if more := _annotations(ingress).keys() - annotations.keys():
            yield (
                f"its Ingress {name} has the annotations {_list(more)}, by which it might ask its controller for other "
                "hosts or rules; those that are meant are named by the class (`access.annotations`)"
            )
        certified = [it for it in entries(spec, "tls") if host in several(it, "hosts")]
        secrets = {str(it.get("secretName") or "") for it in certified}
        if wanted["tls"] and secrets != {wanted["tlsSecret"]}:
            of = wanted["tlsSecret"] or "the controller"
            yield f"its Ingress {name} must have TLS for {host} by the certificate of {of}"


def _annotations(it: Document) -> Document:
    """Without those that only Helm reads."""
    given = one(one(it, "metadata"), "annotations")
    return {str(key): value for key, value in given.items() if not str(key).startswith(("helm.sh/", "meta.helm.sh/"))}


def _lacking(it: Document, annotations: Mapping[str, str]) -> set[str]:
    given = _annotations(it)
    return {f"{key}: {value}" for key, value in annotations.items() if given.get(key) != value}


def _type(service: Document) -> str:
    return str(one(service, "spec").get("type") or "ClusterIP")


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
