"""The program as it was at a commit, in a folder of its own: what sleeps and wakes is what was deployed, not what is
checked out by chance.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploytag import repository
from deploytag.delivery.project import PulumiProject
from deploytag.remote import Remote


@contextmanager
def worktree(checkout: Path, remote: Remote, commit: str, folder: Path) -> Iterator[Path]:
    """A linked worktree of `checkout` at `commit`, which is fetched when it is not here; removed at the end.

    Raises:
        RefError: there is no such commit, here or on the remote.
    """
    with repository.linked_worktree(checkout, remote.fetch(commit), folder) as project:
        # Not in git, and the program needs it.
        _link_virtualenv(checkout, project, folder)
        yield project


def _link_virtualenv(checkout: Path, project: Path, tree: Path) -> None:
    """Let the worktree have the checkout's virtual environment at the same place, if that is inside of it."""
    name = PulumiProject.load(project).options.virtualenv
    if not name or not (checkout / name).is_dir():
        return
    # Where links lead, too: the commit names the place, and it may have links of its own.
    place = Path(os.path.normpath(project / name))
    if place.parent.resolve().is_relative_to(tree.resolve()) and not os.path.lexists(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(checkout / name)
