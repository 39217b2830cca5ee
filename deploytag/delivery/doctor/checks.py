"""The list of checks, from causes to consequences: a problem further up explains those below it."""

from collections.abc import Mapping
from functools import partial

from deploytag.delivery.doctor import accounts, authority, checkout, cluster, registry, room, state, tools
from deploytag.delivery.doctor.findings import Check
from deploytag.delivery.project import Project


def checks(project: Project, environ: Mapping[str, str]) -> tuple[Check, ...]:
    """All of them."""
    pulumi, settings = project.need_pulumi, project.need_settings
    return (
        Check("checkout", partial(checkout.settings, project)),
        Check("git", partial(tools.git, environ)),
        Check("pulumi", partial(tools.pulumi, environ)),
        Check("helm", partial(tools.helm, environ)),
        Check("uv", lambda: tools.uv(pulumi(), environ)),
        Check("packages", partial(tools.packages, project.root)),
        Check("environment", lambda: tools.environment(project.root, pulumi())),
        Check("sources", partial(checkout.sources, project)),
        Check("chart", partial(checkout.renders, project), seconds=45),
        Check("remote", partial(checkout.remote, project, environ), seconds=30),
        Check("cluster", lambda: cluster.expected(settings(), environ)),
        Check("clock", partial(cluster.clock, environ)),
        Check("permissions", lambda: authority.permissions(pulumi().name, environ), seconds=30),
        Check("namespace", partial(cluster.system_namespace, environ)),
        Check("aws", lambda: accounts.aws(settings()), seconds=30),
        Check("database", lambda: accounts.database(settings(), environ)),
        Check("room", partial(room.room, project, environ), seconds=30),
        Check("registry", partial(registry.pushes, project, environ), seconds=30),
        Check("builder", lambda: tools.builder(pulumi(), environ)),
        Check("state", partial(state.backend, project.root, environ), seconds=45),
        Check("secrets", partial(state.secrets_provider, project, environ)),
        Check("locks", partial(state.locks, project, environ), seconds=45),
    )
