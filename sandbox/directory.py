"""The sandbox's directory: made only where nothing of somebody else's is, and deleted only when it is ours."""

import shutil

from sandbox.errors import SandboxError
from sandbox.layout import Layout

TEXT = "DeployTag's sandbox keeps its data here. `python -m sandbox reset` deletes this directory.\n"


def refuse_foreign(layout: Layout) -> None:
    """Whatever DEPLOYTAG_SANDBOX names by mistake stays as it is."""
    root = layout.root
    if root.exists() and not root.is_dir():
        raise SandboxError(f"{root} is no directory, so no sandbox can be there. Choose another DEPLOYTAG_SANDBOX.")
    if root.exists() and any(root.iterdir()) and not _ours(layout):
        raise SandboxError(
            f"{root} holds files that are not a sandbox's, and `reset` would delete them one day. "
            "Name a directory for the sandbox alone with DEPLOYTAG_SANDBOX."
        )


def claim(layout: Layout) -> None:
    """Make the directory if need be, and mark it as the sandbox's."""
    refuse_foreign(layout)
    layout.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not layout.marker.exists():
        layout.marker.write_text(TEXT)


def delete(layout: Layout) -> None:
    """Delete it. The mark goes last, so that an interrupted deletion can be taken up again."""
    claim(layout)
    for path in layout.root.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path != layout.marker:
            path.unlink()
    layout.marker.unlink(missing_ok=True)
    layout.root.rmdir()


def _ours(layout: Layout) -> bool:
    # Earlier versions wrote no mark: their lock file was here, and beside it what every start makes.
    earlier = (layout.root / "lock").is_file() and (layout.etc / "supervisord.conf").is_file() and layout.pki.is_dir()
    return layout.marker.is_file() or earlier
