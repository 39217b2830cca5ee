"""`down` leaves the machine as it was, and `up` brings everything back whatever happened in between."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import boto3
import psutil
import psycopg
import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from sandbox import cgroups, record
from sandbox.launch import SOURCE
from tests.e2e.sandbox.conftest import kubectl, sandbox, status
from tests.e2e.sandbox.machine import Machine

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("running")]

WORKLOAD = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: redis}
spec:
  selector: {matchLabels: {app: redis}}
  template:
    metadata: {labels: {app: redis}}
    spec:
      containers:
        - name: redis
          image: redis:7
          # Volumes of the cluster's own provisioner are root's.
          securityContext: {runAsUser: 0}
          args: [redis-server, --dir, /data, --appendonly, "yes", --protected-mode, "no"]
          volumeMounts: [{name: data, mountPath: /data}]
          readinessProbe: {tcpSocket: {port: 6379}, periodSeconds: 1}
      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
---
apiVersion: v1
kind: Service
metadata: {name: redis}
spec: {type: LoadBalancer, selector: {app: redis}, ports: [{port: 6379}]}
"""


def eventually(check: Callable[[], str], seconds: float = 90) -> str:
    """The first answer of `check` that is not empty."""
    retrying = Retrying(stop=stop_after_delay(seconds), wait=wait_fixed(0.2), retry=retry_if_result(lambda it: not it))
    return retrying(check)


def redis(address: str, command: str) -> str:
    """The answer to one command, or nothing when nobody answers."""
    try:
        with socket.create_connection((address, 6379), timeout=2) as connection:
            connection.sendall(f"{command}\r\n".encode())
            return connection.recv(100).decode().strip()
    except OSError:
        return ""


def address_of(namespace: str) -> str:
    path = "jsonpath={.status.loadBalancer.ingress[0].ip}"
    return kubectl("get", "service", "redis", "--namespace", namespace, "--output", path)


@pytest.fixture
def database(running: None) -> Iterator[str]:
    """A database of this test's own."""
    name = f"lifecycle_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield name
    sandbox("up")
    with psycopg.connect(autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name}")


def test_down_leaves_the_machine_as_it_was_and_up_brings_everything_back(namespace: str, database: str) -> None:
    kubectl("apply", "--namespace", namespace, "--filename", "-", text=WORKLOAD)
    address = eventually(lambda: address_of(namespace))
    assert eventually(lambda: redis(address, "SET kept yes")) == "+OK"
    with psycopg.connect(dbname=database) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    manager = boto3.client("secretsmanager")
    secret = manager.create_secret(Name=database, SecretString="one")

    sandbox("down")
    before = Machine.now()
    assert before.traces() == {}
    assert {row["state"] for row in status()["parts"]} == {"down"}

    sandbox("up")
    assert redis(address, "PING") or eventually(lambda: redis(address, "PING"))
    assert redis(address, "GET kept").endswith("yes")
    assert address_of(namespace) == address
    with psycopg.connect(dbname=database) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)
    after = manager.get_secret_value(SecretId=database)
    manager.delete_secret(SecretId=database, ForceDeleteWithoutRecovery=True)
    assert (after["ARN"], after["VersionId"]) == (secret["ARN"], secret["VersionId"])

    sandbox("down")
    assert before.changes(Machine.now()) == {}


def kill_everything() -> None:
    """What the machine's owner may do at any time."""
    while pids := cgroups.processes():
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.sampled(2)
def test_up_after_everything_was_killed() -> None:
    kill_everything()
    assert {row["state"] for row in status()["parts"]} == {"down"}
    sandbox("up")
    assert status()["complete"]


@pytest.mark.sampled(2)
def test_up_after_a_reboot() -> None:
    # After a reboot nothing of ours runs and nothing is set; on disk is a record of another boot, if /run is on disk.
    current = record.read()
    assert current
    sandbox("down")
    record.write(replace(current, boot="the boot before"))
    sandbox("up")
    assert status()["complete"]


@pytest.mark.sampled(2)
def test_up_when_the_record_is_lost() -> None:
    record.remove()
    sandbox("up")
    assert status()["complete"]
    sandbox("down")
    assert Machine.now().traces() == {}


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("seconds", "number"), [(0.8, signal.SIGINT), (1.5, signal.SIGTERM), (2.5, signal.SIGHUP), (4.0, signal.SIGINT)]
)
def test_up_after_an_interrupted_up(seconds: float, number: signal.Signals) -> None:
    sandbox("down")
    interrupted = subprocess.Popen([sys.executable, "-m", "sandbox", "up"], stderr=subprocess.PIPE, text=True)
    with suppress(subprocess.TimeoutExpired):
        interrupted.wait(seconds)
    interrupted.send_signal(number)
    _, said = interrupted.communicate(timeout=60)
    assert "Traceback" not in said
    sandbox("up")
    assert status()["complete"]


def test_a_second_up_changes_nothing() -> None:
    before = record.read()
    sandbox("up")
    assert record.read() == before


def clone(folder: Path) -> None:
    """What a sandbox is made of, in another place."""
    rights = Path("docs", "reference", "rights.yaml")
    (folder / rights).parent.mkdir(parents=True)
    shutil.copyfile(SOURCE / rights, folder / rights)
    shutil.copytree(SOURCE / "sandbox", folder / "sandbox")


def test_another_clone_of_the_same_content_takes_the_sandbox_as_it_is(tmp_path: Path) -> None:
    before = record.read()
    clone(tmp_path)
    sandbox("up", cwd=tmp_path)
    assert record.read() == before


@pytest.mark.sampled(2)
@pytest.mark.parametrize("again", [False, True], ids=["deleted", "cloned again"])
def test_a_sandbox_whose_clone_was_deleted_is_started_anew(tmp_path: Path, again: bool) -> None:
    sandbox("down")
    clone(tmp_path)
    sandbox("up", cwd=tmp_path)
    shutil.rmtree(tmp_path)
    if again:  # in a folder of which the sandbox has one of its own
        clone(tmp_path)
    said = sandbox("up").stderr
    assert f"Stopping the sandbox, because {tmp_path}, which its programs are started with, is gone" in said
    assert status()["complete"]
    tmp_path.mkdir(exist_ok=True)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("command", ["up", "reset"])
def test_somebody_s_directory_is_left_alone(tmp_path: Path, command: str) -> None:
    sandbox("down")
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp" / "thesis.tex").write_text("everything")
    refused = sandbox(command, check=False, variables={"DEPLOYTAG_SANDBOX": str(tmp_path)})
    assert refused.returncode == 1
    assert f"{tmp_path} holds files that are not a sandbox's" in refused.stderr
    assert (tmp_path / "tmp" / "thesis.tex").read_text() == "everything"


@pytest.mark.sampled(2)
def test_down_makes_no_directory(tmp_path: Path) -> None:
    sandbox("down")
    sandbox("down", variables={"DEPLOYTAG_SANDBOX": str(tmp_path / "sandbox")})
    assert list(tmp_path.iterdir()) == []


def test_a_killed_part_is_started_again() -> None:
    def apiserver() -> str:
        names = {
            pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in cgroups.processes() if psutil.pid_exists(pid)
        }
        return "".join(str(pid) for pid, name in names.items() if b"/kube-apiserver\0" in name)

    killed = apiserver()
    os.kill(int(killed), signal.SIGKILL)
    assert eventually(lambda: apiserver().replace(killed, ""))
    assert eventually(lambda: "yes" if status()["complete"] else "")


def test_a_second_sandbox_is_refused_and_the_first_is_named(tmp_path: Path) -> None:
    refused = sandbox("up", check=False, variables={"DEPLOYTAG_SANDBOX": str(tmp_path / "other")})
    assert refused.returncode == 1
    assert f"Another sandbox runs on this machine, from {os.environ['DEPLOYTAG_SANDBOX']}" in refused.stderr
    assert status()["complete"]


@pytest.mark.sampled(2)
def test_a_subnet_in_use_is_named_and_nothing_is_begun() -> None:
    sandbox("down")
    subprocess.run(["ip", "link", "add", "taken0", "type", "bridge"], check=True)
    try:
        subprocess.run(["ip", "address", "add", "172.30.0.9/16", "dev", "taken0"], check=True)
        subprocess.run(["ip", "link", "set", "taken0", "up"], check=True)
        refused = sandbox("up", check=False)
        assert refused.returncode == 1
        assert "172.30.0.0/24 is in use: the host has a route to 172.30.0.0/16 on taken0" in refused.stderr
        assert record.read() is None
    finally:
        subprocess.run(["ip", "link", "delete", "taken0"], check=True)


def test_the_host_may_not_be_passed_through_into_the_sandbox() -> None:
    rules = subprocess.run(
        ["nft", "list", "table", "ip", "deploytag"], capture_output=True, text=True, check=True
    ).stdout
    assert 'oifname "dt0" ct state new drop' in rules


@pytest.mark.sampled(2)
def test_a_setting_takes_effect_by_a_restart() -> None:
    port = {"DEPLOYTAG_SANDBOX_AWS_PORT": "4999"}
    sandbox("up", variables=port)
    with socket.create_connection(("172.30.0.1", 4999), timeout=2):
        pass
    exported = sandbox("env", variables=port).stdout
    assert "export AWS_ENDPOINT_URL=http://172.30.0.1:4999\n" in exported


def test_the_log_of_a_part_is_shown() -> None:
    nowhere = f"nowhere-{uuid.uuid4().hex[:8]}"
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dbname=nowhere)
    # Of its own doing: whatever ran before may have written any number of lines.
    assert f'database "{nowhere}" does not exist' in sandbox("logs", "postgres", "-n", "20").stdout
    unknown = sandbox("logs", "postgers", check=False)
    assert unknown.returncode == 1
    assert "There is no log of postgers; there are apiserver, aws," in unknown.stderr
