from pathlib import Path

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
