from sandbox.services import Part
from sandbox.status import Process, attribute, version_of


def test_memory_goes_to_the_part_that_started_the_process() -> None:
    processes = [
        Process(100, 99, 1, 1),  # supervisord
        Process(101, 100, 7, 10),  # a part
        Process(102, 101, 8, 20),  # its child
        Process(103, 102, 9, 40),  # its child's child
        Process(104, 100, 10, 80),  # a container, adopted by process 1
        Process(105, 104, 11, 160),  # what runs in it
        Process(106, 1, 12, 320),  # its parent ended while we looked
    ]
    assert attribute(processes, 100, {7: "postgres"}) == {"": 1, "postgres": 70, "pods": 560}


def test_versions_are_taken_from_what_programs_print() -> None:
    assert version_of(Part("x", (), version="v1.34.4")) == "1.34.4"
    assert version_of(Part("x", (), version=("echo", "etcd Version: 3.4.23"))) == "3.4.23"
    assert version_of(Part("x", (), version=("no-such-program", "--version"))) == "not installed"
