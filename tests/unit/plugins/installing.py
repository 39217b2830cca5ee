"""What the tests of installing share: a script for the Pulumi CLI, and a look at what is there afterwards."""

from collections.abc import Callable
from pathlib import Path

from sandbox.plugins.install import NAMES, PluginStatus

Install = Callable[[str | None], list[PluginStatus]]

FETCHES = """\
#!/bin/sh
# Stands in for the Pulumi CLI: `plugin install resource NAME VERSION`.
echo "$4" >> "$(dirname "$0")/asked"
mkdir -p "$PULUMI_HOME/plugins/resource-$4-v$5"
echo fetched > "$PULUMI_HOME/plugins/resource-$4-v$5/pulumi-resource-$4"
"""
FAILS = """\
#!/bin/sh
echo "$4" >> "$(dirname "$0")/asked"
echo "error: no network" >&2
exit 1
"""


def executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def sources(statuses: list[PluginStatus]) -> dict[str, str]:
    return {status.name: status.source for status in statuses}


def content(status: PluginStatus) -> str:
    return (status.path / f"pulumi-resource-{status.name}").read_text()


OFFLINE = dict.fromkeys(NAMES, "offline") | {"docker-build": "built"}
