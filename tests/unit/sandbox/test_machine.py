import os
import platform
from pathlib import Path

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


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ('echo "unshare: unshare failed: Operation not permitted" >&2; exit 1', "make namespaces of every kind"),
        ('case "$*" in *true) ;; *) echo "mount: unknown filesystem" >&2; exit 32; esac', "mount tmpfs and overlay"),
    ],
)
def test_what_the_kernel_does_not_allow_is_named_with_what_it_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, what: str
) -> None:
    (tmp_path / "unshare").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "unshare").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(SandboxError, match=rf"has to {what}.*which this machine does not allow: (unshare|mount): "):
        machine.check_kernel()


def test_a_kernel_that_allows_everything_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "unshare").write_text("#!/bin/sh\n")
    (tmp_path / "unshare").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    machine.check_kernel()
    (tmp_path / "unshare").unlink()
    with pytest.raises(SandboxError, match="needs the program unshare"):
        machine.check_kernel()
