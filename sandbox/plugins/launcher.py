"""The small executable by which the engine starts an offline plugin."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[2]


def launcher_script(
    name: str,
    environment: Mapping[str, str],
    python: str = sys.executable,
    repository: Path = _REPOSITORY,
) -> str:
    """The text of `pulumi-resource-NAME`: the project's own interpreter, whatever the caller's PATH and PYTHONPATH.

    The first two lines are for a shell: a `#!` line holds neither a long path nor one with a space, and `exec` keeps
    the process id that the engine signals. Python sees a string there.
    """
    return f"""\
#!/bin/sh
'''exec' {shlex.quote(python)} -I "$0" "$@" # '''
# Written by sandbox/plugins/install.py.
import os
import runpy
import sys

home = os.path.join(os.path.dirname(__file__), "..", "..")
os.environ["DEPLOYTAG_PLUGIN_TMP"] = os.path.abspath(os.path.join(home, "tmp"))
sys.path.insert(0, {str(repository)!r})
for variable, value in {dict(environment)!r}.items():
    os.environ.setdefault(variable, value)
runpy.run_module("sandbox.plugins.{name}", run_name="__main__")
"""
