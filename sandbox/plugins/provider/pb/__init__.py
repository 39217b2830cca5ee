"""Pulumi's generated protobuf modules, found without importing `pulumi` itself.

A plugin starts on every `pulumi` command. `import pulumi` costs it 0.3 s (1 s cold); this package only borrows the
directory of the generated modules, so `from sandbox.plugins.provider.pb import provider_pb2` costs a third of that.
"""

import importlib.util
from pathlib import Path

_pulumi = importlib.util.find_spec("pulumi")
if _pulumi is None or _pulumi.origin is None:
    raise ImportError("The offline plugins need the `pulumi` package in their Python environment: run `uv sync`.")
__path__ = [str(Path(_pulumi.origin).parent / "runtime" / "proto")]
