from pathlib import Path

import pytest

from sandbox import packages
from sandbox.errors import SandboxError


def test_only_what_dpkg_calls_installed_is_installed() -> None:
    status = "runc installed\netcd-server config-files\nsocat not-installed\n"
    assert packages.not_installed(["etcd-server", "runc", "socat", "ipset"], status) == [
        "etcd-server",
        "socat",
        "ipset",
    ]


def test_a_package_of_two_architectures_is_installed_once_one_is() -> None:
    assert packages.not_installed(["runc"], "runc config-files\nrunc installed\n") == []


def test_every_service_belongs_to_a_package_of_the_list() -> None:
    assert set(packages.SERVICES) <= set(packages.PACKAGES)


def test_nothing_is_run_when_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "missing", lambda _: [])
    monkeypatch.setattr(packages, "_restore", lambda _: None)
    monkeypatch.setattr(packages, "run", lambda *_, **__: pytest.fail("nothing was to be installed"))
    packages.ensure()


def test_without_root_the_packages_and_the_command_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "missing", lambda _: ["runc", "socat"])
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(SandboxError, match=r"needs root.*apt-get install runc socat"):
        packages.ensure()


class TestTemporaryFile:
    def test_leaves_nothing_where_nothing_was(self, tmp_path: Path) -> None:
        path = tmp_path / "etc" / "createcluster.d" / "deploytag.conf"
        with packages._temporary(path, packages._MARK, 0o644):
            assert path.read_text() == packages._MARK
        assert list(tmp_path.iterdir()) == []

    def test_gives_back_what_was_there_after_a_failure(self, tmp_path: Path) -> None:
        path = tmp_path / "policy-rc.d"
        path.write_text("the user's own")
        with pytest.raises(SandboxError), packages._temporary(path, packages._MARK, 0o755):
            raise SandboxError
        assert path.read_text() == "the user's own"
        assert [found.name for found in tmp_path.iterdir()] == ["policy-rc.d"]

    def test_gives_back_what_a_killed_run_had_put_aside(self, tmp_path: Path) -> None:
        path = tmp_path / "policy-rc.d"
        path.write_text(packages._MARK)
        path.with_name("policy-rc.d.before-deploytag").write_text("the user's own")
        with packages._temporary(path, packages._MARK, 0o755):
            pass
        assert path.read_text() == "the user's own"
        assert [found.name for found in tmp_path.iterdir()] == ["policy-rc.d"]
