"""What the policy's caps leave room for."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping

from deploytag.delivery import admission
from deploytag.delivery.caps import uses
from deploytag.delivery.doctor.findings import Finding, ok, warning
from deploytag.delivery.progress import Progress
from deploytag.delivery.project import Project
from deploytag.delivery.world import World


def room(project: Project, environ: Mapping[str, str]) -> Iterator[Finding]:
    """How much of each cap is used; a warning where a first push would be refused."""
    trusted = project.need_trusted()
    world = World.open(project.need_pulumi().name, project.root, trusted, environ, Progress(io.StringIO()))
    for use in uses(admission.look(world), trusted.policy):
        if use.cap is not None and use.used >= use.cap:
            cure = "Remove what is idle (`deploytag gc`), or raise `caps` in the policy."
            yield warning(f"{use}: the first push of another branch is refused", cure)
        else:
            yield ok(str(use))
