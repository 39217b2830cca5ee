"""What buildx writes down of a build before it begins: `localstate` of docker/buildx."""

import json
import os
from pathlib import Path


def write_down(folder: Path, context: Path, *, ref: str = "it", when: float) -> Path:
    """Let buildx, whose configuration is in `folder`, have begun to build `context` at a UNIX time; its file."""
    path = folder / "refs" / "staging" / "staging0" / ref
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"Target": "default", "LocalPath": str(context), "DockerfilePath": "Dockerfile"}))
    os.utime(path, (when, when))
    return path
