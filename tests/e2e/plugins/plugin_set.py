"""Which plugins these tests run with. Most pass with any; a few are about what only the offline ones promise."""

import json
import os
from pathlib import Path

import pytest


def source(plugin: str) -> str:
    """Where the sandbox's plugin comes from: official, offline, folder or built."""
    record = Path(os.environ.get("PULUMI_HOME", ".")) / "deploytag-plugins.json"
    entry = json.loads(record.read_text()).get(plugin, {}) if record.is_file() else {}
    return str(entry.get("source", "unknown"))


def offline_only(plugin: str) -> pytest.MarkDecorator:
    """For a test of something that the official plugin does otherwise, and is documented to."""
    return pytest.mark.skipif(source(plugin) != "offline", reason=f"about the offline {plugin} plugin")
