"""The checkout: are its files valid, is everything they name there, and does the remote answer?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from deploytag import content
from deploytag.contract import trial_values
from deploytag.delivery.doctor.findings import Finding, ok, problem, warning
from deploytag.delivery.project import Project
from deploytag.errors import ContentError, DeployTagError
from deploytag.identity import identify
from deploytag.preflight import chart
from deploytag.remote import Remote
from deploytag.repository import tracked_files
from deploytag.trust import remote_name


def settings(project: Project) -> Iterator[Finding]:
    """`Pulumi.yaml`, `deploytag.yaml` and the policy in force."""
    for read in (project.pulumi, project.application, project.trusted):
        if isinstance(read, DeployTagError):
            yield problem(" ".join(str(read).split()), kind=type(read))
    if isinstance(project.trusted, DeployTagError):
        return
    patterns = ", ".join(cls.pattern for cls in project.trusted.policy.classes.values())
    yield ok(f"the policy is {project.trusted.origin}; {patterns} deploy")
    if difference := project.trusted.differs(project.root):
        yield warning(difference, "Commit it to the default branch to make it count.")


def sources(project: Project) -> Iterator[Finding]:
    """Whether git tracks what the images are built from: only that is built."""
    images = project.need_application().images
    for image in (images.base, images.app):
        for path in (image.dockerfile, *image.context):
            if not tracked_files(project.root, path):
                yield problem(
                    f"git tracks nothing at {path}, which an image is built from", "`git add` it.", ContentError
                )
                return
    yield ok(f"{images.base.dockerfile} and {images.app.dockerfile} with their contexts")


def renders(project: Project) -> Iterator[Finding]:
    """Whether the chart renders with the values of every class, and gives a URL."""
    loaded = project.need_settings()
    name = project.need_pulumi().name
    with tempfile.TemporaryDirectory() as folder:
        staged = content.stage_chart(project.root, loaded.application.chart.path, Path(folder))
        # Classes that give a chart the same values render the same.
        distinct = {
            (cls.database, cls.migrations, bool(cls.secrets), cls.isolation, cls.access.model_dump_json()): cls
            for cls in loaded.policy.classes.values()
        }
        for cls in distinct.values():
            identity = identify(name, cls.pattern.replace("*", "trial"))
            values = {
                **loaded.application.chart.values,
                **trial_values(identity, "0" * 40, loaded.application, cls),
            }
            chart.check(staged.path, identity.release, identity.namespace, values, cls.isolation)
    yield ok(f"{loaded.application.chart.path} renders for every class")


def remote(project: Project, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether the remote that is the truth about branches answers."""
    found = Remote(project.root, remote_name(project.root, environ), environ)
    if refs := found.refs():
        yield ok(f"{found.shown} answers: {len(refs)} branches and tags")
    else:
        yield problem(f"{found.shown} answers, and has no branch", "Push one.")
