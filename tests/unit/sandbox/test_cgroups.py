from pathlib import Path

from sandbox.cgroups import Hierarchy, hierarchies

VERSION_1 = """\
tmpfs /sys/fs/cgroup tmpfs rw,relatime,mode=755 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,nodev,noexec,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,xattr,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
"""
VERSION_2 = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate 0 0\n"


def test_version_1_has_one_hierarchy_per_mount() -> None:
    assert hierarchies(VERSION_1) == [
        Hierarchy(Path("/sys/fs/cgroup/cpu,cpuacct"), "cpu,cpuacct"),
        Hierarchy(Path("/sys/fs/cgroup/memory"), "memory"),
        Hierarchy(Path("/sys/fs/cgroup/systemd"), "none,name=systemd"),
    ]


def test_version_2_has_one() -> None:
    assert hierarchies(VERSION_2) == [Hierarchy(Path("/sys/fs/cgroup"), "")]


def test_a_group_that_goes_away_is_passed_over_and_those_within_another_come_first(tmp_path: Path) -> None:
    hierarchy = Hierarchy(tmp_path, "")
    assert list(hierarchy.groups()) == []
    pods = hierarchy.group / "pods"
    for name in ("one", "another"):
        (pods / name).mkdir(parents=True)
    found = hierarchy.groups()
    first = next(found)
    [other] = {pods / "one", pods / "another"} - {first}
    other.rmdir()
    assert list(found) == [pods, hierarchy.group]
