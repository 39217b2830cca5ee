"""The program as it was at a commit, in a folder of its own: what sleeps and wakes is what was deployed, not what is
checked out by chance.
"""

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
        _link_virtualenv(checkout, project)
        yield project


def _link_virtualenv(checkout: Path, project: Path) -> None:
    name = PulumiProject.load(project).options.virtualenv
    if name and (checkout / name).is_dir() and not (project / name).exists():
        (project / name).symlink_to(checkout / name)
