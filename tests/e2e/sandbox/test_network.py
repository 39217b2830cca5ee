"""The host's side of the network, tried on a "host" that is a network namespace of the test's own."""

import subprocess
import sys

import pytest

from sandbox import record

pytestmark = pytest.mark.e2e

# `unshare --net` gives the host, a second one inside it the sandbox.
SCRIPT = """
import subprocess
from sandbox import network
from sandbox.config import Config

def said(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout

def picture():
    links = said("ip", "-brief", "link").split()[::3]
    return [links, said("ip", "route"), [line for line in said("iptables-save").splitlines() if line[:1] in "-:"]]

subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
{before}
untouched = picture()
inside = subprocess.Popen(["unshare", "--net", "sleep", "60"])
try:
    while said("readlink", f"/proc/{{inside.pid}}/ns/net") == said("readlink", "/proc/self/ns/net"):
        pass
    network.attach(inside.pid, Config())
    assert "172.30.0.0/24 via 172.31.255.2 dev dt0" in said("ip", "route")
    forward = said("iptables-save")
    assert forward.count("deploytag-sandbox") == {rules}, forward
    assert "masquerade" in said("nft", "list", "table", "ip", "deploytag")
    network.detach()
    assert picture() == untouched, (picture(), untouched)
    network.detach()
    assert picture() == untouched
finally:
    inside.kill()
"""


@pytest.mark.parametrize(
    ("before", "rules"),
    [
        pytest.param("", 0, id="a host without rules"),
        pytest.param('said("iptables", "-P", "FORWARD", "ACCEPT")', 0, id="a host that forwards"),
        pytest.param('said("iptables", "-P", "FORWARD", "DROP")', 2, id="a host with Docker or ufw"),
    ],
)
def test_the_cable_comes_and_goes_without_a_trace(before: str, rules: int) -> None:
    script = SCRIPT.format(before=before, rules=rules)
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("running")
def test_what_is_meant_for_a_pod_that_is_not_there_does_not_leave_the_machine() -> None:
    current = record.read()
    assert current
    asked = ["nsenter", f"--target={current.pid}", "--net", "ip", "route", "get", "10.244.77.77"]
    found = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert "dt1" not in found.stdout
    assert "No route to host" in found.stderr
