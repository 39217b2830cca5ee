import os
import platform

import pytest

from sandbox import machine
from sandbox.errors import SandboxError


def test_another_system_is_refused_before_anything_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    with pytest.raises(SandboxError, match=r"needs Linux; this is Darwin.*cluster of your own"):
        machine.check()


def test_an_ordinary_user_is_told_why_root_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SandboxError, match="needs root: it makes network namespaces and runs containers"):
        machine.check()
