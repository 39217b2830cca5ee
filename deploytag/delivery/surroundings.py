"""The environment variables of everything that a run starts, so that each acts on what the run has looked at."""

from collections.abc import Mapping

from deploytag.delivery.backend import VARIABLE, Backend, service


def of_children(environ: Mapping[str, str], backend: Backend | None) -> dict[str, str]:
    """What Pulumi, Helm and the program are given instead of `environ`. Pure but for looking up a home.

    Pulumi would look for its backend in the folder that it runs in, which may be another commit's or have no project.

    Raises:
        SettingsError: the backend is a folder that cannot be.
    """
    return {**environ, VARIABLE: backend.everywhere if backend else service(environ)}
