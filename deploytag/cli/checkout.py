"""What commands that reach out have in common: the checkout they are in, and the world it belongs to."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploytag.cli.app import nearest, nearest_project
from deploytag.errors import UsageError
from deploytag.identity import PULUMI_FILE, Identity, identify

if TYPE_CHECKING:
    from deploytag.delivery.progress import Progress
    from deploytag.delivery.world import World
    from deploytag.trust import InForce

Branch = Annotated[
    str | None,
    typer.Argument(help="As git spells it; by default the one that the CI or the checkout says.", show_default=False),
]
Project = Annotated[
    str | None, typer.Option("--project", help="The project; by default `name:` of the nearest Pulumi.yaml.")
]
Wait = Annotated[int, typer.Option("--wait", help="Seconds to wait for another run on the same environment.", min=0)]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Also say every step that changes nothing.")]


@dataclass(frozen=True)
class Checkout:
    """Where the command was called."""

    root: Path
    project: str

    @classmethod
    def here(cls) -> Checkout:
        """The checkout around the current directory, whose Pulumi.yaml names the project.

        Raises:
            UsageError: there is none that DeployTag knows its way in.
        """
        path = nearest(PULUMI_FILE, Path.cwd())
        if path is None:
            raise UsageError(
                f"There is no Pulumi.yaml in {Path.cwd()} or above it. Run this in a checkout, or make one of this "
                "repository with `deploytag init`."
            )
        return cls(path.parent, nearest_project(path.parent, option=False))

    @classmethod
    def of(cls, project: str | None) -> Checkout:
        """The same, for what needs no program: with `project` it matters not whether Pulumi.yaml can be read.

        Raises:
            UsageError: there is none, or nothing names the project.
            SettingsError: that is no name of a project.
        """
        from deploytag import repository

        path = nearest(PULUMI_FILE, Path.cwd())
        name = project or nearest_project(Path.cwd())
        identify(name, "main")  # refuses what is no project
        return cls(path.parent if path else repository.top(Path.cwd()), name)

    @cached_property
    def trusted(self) -> InForce:
        """The policy in force. Asked for once: what it said first is what the run goes by.

        Raises:
            DeployTagError: there is none that can be used.
        """
        from deploytag.trust import in_force

        return in_force(self.root, os.environ)

    def ref(self, branch: str | None) -> str:
        """The branch that was named, else the one this checkout is for.

        Raises:
            RefError: it cannot be told.
        """
        from deploytag.ref import find_ref

        return find_ref(os.environ, branch, self.root).name

    def identity(self, branch: str | None) -> Identity:
        """The names of the branch that was named, else of the one this checkout is for.

        Raises:
            RefError: it cannot be told.
        """
        return identify(self.project, self.ref(branch))

    def open(self, progress: Progress) -> World:
        """The world of the checkout's project, under the policy in force.

        Raises:
            DeployTagError: something of it cannot be used.
        """
        from deploytag.delivery.world import World

        return World.open(self.project, self.root, self.trusted, os.environ, progress)

    def open_to_remove(self, progress: Progress) -> World:
        """As `open`, but a silent remote is no obstacle where the checkout has fetched its default branch before."""
        from deploytag.delivery.world import World
        from deploytag.trust import in_force

        trusted = in_force(self.root, os.environ, last_fetched=True)
        if trusted.listing is None:
            progress.warn(f"the policy in force is {trusted.origin}")
        return World.open(self.project, self.root, trusted, os.environ, progress)


def narrator(*, as_json: bool, verbose: bool = False) -> Progress:
    """Progress for people: on standard output, unless that is for a program."""
    from deploytag.delivery.progress import Progress

    return Progress(sys.stderr if as_json else sys.stdout, verbose=verbose)
