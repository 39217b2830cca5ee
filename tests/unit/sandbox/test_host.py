import errno
from pathlib import Path

import pytest

from sandbox import host
from sandbox.host import Change, delegation, forwarding


def test_only_devices_that_do_not_forward_are_changed(tmp_path: Path) -> None:
    for device, value in (("eth0", "0\n"), ("eth1", "1\n")):
        (tmp_path / device).mkdir()
        (tmp_path / device / "forwarding").write_text(value)
    assert forwarding(["eth0", "eth1", "gone0"], tmp_path) == [Change(tmp_path / "eth0" / "forwarding", "1", "0")]


def test_missing_controllers_are_handed_down_and_taken_back(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory misc pids\n")
    (tmp_path / "cgroup.subtree_control").write_text("memory pids\n")
    assert delegation(tmp_path) == [Change(tmp_path / "cgroup.subtree_control", "+cpu +cpuset +io", "-cpu -cpuset -io")]


def test_nothing_is_written_where_everything_is_handed_down(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory\n")
    assert delegation(tmp_path) == []


@pytest.fixture
def forwarding_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "ip_forward"
    monkeypatch.setattr(host, "FORWARDING", path)
    return path


@pytest.mark.parametrize(("before", "now", "left"), [("0", "0", "0"), ("0", "1", "1"), ("1", "1", "0")])
def test_a_device_goes_on_forwarding_when_somebody_let_the_host_forward_meanwhile(
    tmp_path: Path, forwarding_file: Path, before: str, now: str, left: str
) -> None:
    device = tmp_path / "forwarding"
    device.write_text("1")
    forwarding_file.write_text(before)
    forwarded = host.forwards()
    forwarding_file.write_text(now)
    host.restore({str(device): "0", str(tmp_path / "gone" / "forwarding"): "0"}, forwarded=forwarded)
    assert device.read_text() == left


def test_a_controller_that_somebody_uses_is_left_handed_down(
    tmp_path: Path, forwarding_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch, device = tmp_path / "cgroup.subtree_control", tmp_path / "forwarding"
    for path in (switch, device, forwarding_file):
        path.write_text("before")
    write = Path.write_text

    def busy(path: Path, text: str) -> int:
        if path == switch:
            raise OSError(errno.EBUSY, "Device or resource busy")
        return write(path, text)

    monkeypatch.setattr(Path, "write_text", busy)
    host.restore({str(switch): "-cpu", str(device): "0"}, forwarded=False)
    assert (switch.read_text(), device.read_text()) == ("before", "0")
