"""Where the long tests write down what they have done, to go on there when they were interrupted."""

import json
import os
from pathlib import Path
from typing import Any

RESULTS = Path(os.environ.get("SOAK_RESULTS", "soak-results"))


def written(path: Path) -> list[dict[str, Any]]:
    """What earlier runs have written there, a JSON object a line; nothing where there is no such file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
