"""Whether images can be pushed: an upload is begun and taken back, so nothing is left in the registry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import httpx

from deploytag.delivery.doctor.findings import Finding, ok, problem
from deploytag.delivery.project import Project
from deploytag.delivery.removal.image_gc import IMAGES
from deploytag.delivery.removal.registry import Registry
from deploytag.errors import SettingsError


def pushes(
    project: Project, environ: Mapping[str, str], transport: httpx.AsyncBaseTransport | None = None
) -> Iterator[Finding]:
    """Whether both images can be pushed, to wherever the policy has a class's images.

    Raises:
        SettingsError: no registry is configured, or no policy is in force.
        UnreachableError: it does not answer.
    """
    pulumi = project.need_pulumi()
    name = pulumi.default("registry")
    if name is None:
        raise SettingsError("Pulumi.yaml gives the config `registry` no default, so where images go is not known.")
    paths = project.need_trusted().policy.image_repositories(pulumi.name)
    registry = Registry(name, environ, transport)
    for repository in (f"{path}/{image}" for path in paths for image in IMAGES):
        yield said(f"{name}/{repository}", registry.try_push(repository))


def said(name: str, status: int) -> Finding:
    """What the registry's answer to the beginning of an upload means. Pure."""
    match status:
        case httpx.codes.ACCEPTED:
            return ok(f"{name} can be pushed")
        case httpx.codes.UNAUTHORIZED:
            return problem(f"{name}: nobody is logged in, or not any more", f"`docker login {name.partition('/')[0]}`")
        case httpx.codes.FORBIDDEN:
            return problem(f"{name}: pushing is forbidden", "Let this login push there.")
        case httpx.codes.NOT_FOUND:
            return problem(
                f"{name}: there is no such repository", "Make it: some registries (ECR) do not by themselves."
            )
    return problem(f"{name}: the registry answers HTTP {status}")
