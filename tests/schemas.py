"""The schemas of what commands print, as they are published."""

import json
from pathlib import Path
from typing import Any

import jsonschema

FOLDER = Path(__file__).parents[1] / "schemas"


def path_of(command: str) -> Path:
    """Where the schema of what a command prints with `--json` is."""
    return FOLDER / "output" / f"{command}.schema.json"


def fits(command: str, document: Any) -> None:
    """Have a document that a command printed be of its form."""
    jsonschema.Draft202012Validator(json.loads(path_of(command).read_text())).validate(document)
