"""Each state that a run that died, or a person, leaves behind; afterwards a plain `pulumi up` goes through."""

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from cloudpathlib import S3Path

from deploytag.delivery.recovery import namespaces, recover, unlock
from deploytag.delivery.recovery.tools import Tools
from deploytag.delivery.run import Action
from deploytag.delivery.store import Lock, StateStore
from deploytag.errors import BusyError, DeploymentError, OwnershipError, ProtectedError
from deploytag.identity import Identity
from deploytag.ownership import annotations
from deploytag.rights import BINDING
from tests.e2e.delivery.recovering import (
    EngineProcess,
    exists,
    interrupt_a_drop,
    kill_when,
    on_server,
    recovered,
    release_is,
    tools,
)
from tests.e2e.names import own
from tests.e2e.program.checkout import Checkout, page_in_the_end
from tests.e2e.program.inventory import kubectl

pytestmark = pytest.mark.e2e

HOOK = """
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-slow
  annotations: {helm.sh/hook: "pre-install,pre-upgrade"}
spec:
  backoffLimit: 0
  template:
    spec:
      {{- include "app.pod" . | nindent 6 }}
      restartPolicy: Never
      containers:
        - name: slow
          {{- include "app.container" . | nindent 10 }}
          command: [python3, -c, "COMMAND"]
          resources: {{- toYaml .Values.jobs.resources | nindent 12 }}
"""


@pytest.fixture(
    params=[pytest.param("folder", marks=pytest.mark.sampled(2)), pytest.param("bucket", marks=pytest.mark.sampled(1))]
)
def where(request: pytest.FixtureRequest) -> str:
    """Where the state is. Branches are named after it: both may be tried at the same time."""
    kind: str = request.param
    return kind


@pytest.fixture
def repository(where: str, bucket: str, tmp_path: Path, repository: Checkout) -> Checkout:
    """The sample application, whose state is in a folder or a bucket of its own."""
    (tmp_path / "state").mkdir()
    repository.environ["PULUMI_BACKEND_URL"] = bucket if where == "bucket" else f"file://{tmp_path}/state"
    return repository


def without_database(repository: Checkout) -> None:
    """Namespace and release only: quick."""
    repository.policy(secrets=[], database=False, database_key=None, migrations=False)


def must_come_up(repository: Checkout, identity: Identity) -> None:
    done = repository.up(identity)
    assert done.ok, done.output
    assert page_in_the_end(repository.outputs(identity)["url"])["ref"] == identity.ref


def engine_of_person() -> EngineProcess:
    return EngineProcess("somewhere-else", 1, datetime.now(UTC))


def test_a_killed_run_is_recovered(repository: Checkout, tmp_path: Path, where: str) -> None:
    """The lock, a namespace and a release that were just being made."""
    without_database(repository)
    identity = repository.stack(own(f"feature/killed-{where}"))
    killed = kill_when(repository, identity, exists("namespace", identity.namespace))

    # A person's lock is theirs, even beside ours.
    with pytest.raises(BusyError, match=f"is locked by .* on {killed.host} .process {killed.pid}"):
        unlock(tools(repository, identity, engine_of_person()))
    assert "is currently locked by 1 lock(s)" in repository.up(identity).output

    if where == "folder":  # as a kill between two system calls leaves it
        (tmp_path / "state/.pulumi/stacks" / identity.project / f"{identity.stack}.json.attrs").write_text("")
    it = tools(repository, identity, killed)
    said = recovered(it)
    assert f"process {killed.pid} on {killed.host}) had left its lock" in said
    assert list(it.lease.engines) == []
    kill_again = kill_when(repository, identity, release_is(identity, "pending-install"))
    said = recovered(tools(repository, identity, killed, kill_again))
    assert f"The Helm release {identity.release} was" in said
    assert "was not known how an interrupted run's operations had ended" in said
    must_come_up(repository, identity)
    assert recovered(tools(repository, identity)) == ""


def test_two_locks_of_which_one_is_a_persons(repository: Checkout, where: str) -> None:
    identity = repository.stack(own(f"feature/locks-{where}"))
    store = StateStore.from_environ(repository.environ, repository.path)
    assert store is not None
    folder = store.root / "locks" / "organization" / identity.project / identity.stack
    now = datetime.now(UTC).isoformat()
    for name, pid in (("ours", 7), ("theirs", 8)):
        lock = folder / f"{name}.json"
        content = json.dumps({"pid": pid, "username": "ann", "hostname": "runner", "timestamp": now}).encode()
        if isinstance(lock, S3Path):
            lock.client.client.put_object(Bucket=lock.bucket, Key=lock.key, Body=content)
        else:
            lock.parent.mkdir(parents=True, exist_ok=True)
            lock.write_bytes(content)
    it = tools(repository, identity, EngineProcess("runner", 7, datetime.now(UTC)))
    with pytest.raises(BusyError, match="process 8"):
        unlock(it)
    assert len(store.locks(identity.project, identity.stack)) == 2
    theirs: Lock = next(lock for lock in store.locks(identity.project, identity.stack) if "theirs" in lock.path.name)
    store.remove_lock(theirs)
    assert len(unlock(it)) == 1
    assert store.locks(identity.project, identity.stack) == []
    store.remove_stack(identity.project, identity.stack)
    assert store.stacks(identity.project) == []
    repository.must("pulumi", "stack", "select", "--create", identity.stack)


def test_helm_that_was_killed_or_failed(repository: Checkout, where: str) -> None:
    """Every state of a release that a killed or failed Helm leaves."""
    without_database(repository)
    hook = repository.path / "charts" / "app" / "templates" / "slow.yaml"
    quick, slow, failing = "pass", "import time; time.sleep(300)", "raise SystemExit(1)"

    def run_hook(command: str) -> None:
        hook.write_text(HOOK.replace("COMMAND", command))
        repository.must("git", "add", "--all")

    identity = repository.stack(own(f"feature/helm-{where}"))
    job = ("job", f"{identity.release}-slow", "-n", identity.namespace)

    run_hook(failing)
    failed = repository.up(identity)
    assert not failed.ok
    assert release_is(identity, "failed")()
    assert "failed when it was first installed; it was uninstalled" in recovered(tools(repository, identity))

    run_hook(quick)
    must_come_up(repository, identity)

    run_hook(failing)
    assert not repository.up(identity).ok
    assert recovered(tools(repository, identity)) == ""  # the next upgrade goes on from it
    run_hook(quick)
    must_come_up(repository, identity)

    run_hook(slow)
    pod = ("pod", "-n", identity.namespace, "-l", f"job-name={identity.release}-slow", "--field-selector")
    killed = kill_when(repository, identity, exists(*pod, "status.phase=Running"))
    assert release_is(identity, "pending-upgrade")()
    said = recovered(tools(repository, identity, killed))
    assert "was left pending-upgrade; it was rolled back" in said
    assert not exists(*job)()  # two of them must not run at a time
    run_hook(quick)
    must_come_up(repository, identity)

    repository.must("helm", "uninstall", identity.release, "--namespace", identity.namespace)
    assert (
        f"the Helm release {identity.release} had been removed".lower()
        in recovered(tools(repository, identity)).lower()
    )
    must_come_up(repository, identity)


def test_a_right_that_somebody_removed(repository: Checkout, where: str) -> None:
    without_database(repository)
    identity = repository.stack(own(f"feature/unbound-{where}"))
    must_come_up(repository, identity)
    kubectl("delete", "rolebinding", BINDING, "-n", identity.namespace)
    assert "RoleBinding" in recovered(tools(repository, identity))
    must_come_up(repository, identity)
    # And one that an interrupted run had not made yet.
    kubectl("delete", "namespace", identity.namespace)
    kubectl("create", "namespace", identity.namespace)
    # As every environment has it from its first moment: nothing else of one without may be changed.
    kubectl("label", "namespace", identity.namespace, "pod-security.kubernetes.io/enforce=restricted")
    for key, value in annotations(identity).items():
        kubectl("annotate", "namespace", identity.namespace, f"{key}={value}")
    recovered(tools(repository, identity))
    must_come_up(repository, identity)


def test_a_namespace_that_does_not_go(repository: Checkout, where: str) -> None:
    without_database(repository)
    identity = repository.stack(own(f"feature/terminating-{where}"))
    held = ("configmap", "held", "-n", identity.namespace)
    kubectl("create", "namespace", identity.namespace)
    stamps = (f"{key}={value}" for key, value in annotations(identity).items())
    kubectl("annotate", "namespace", identity.namespace, *stamps)
    kubectl("create", *held)
    kubectl("patch", *held, "-p", '{"metadata": {"finalizers": ["example.com/hold"]}}')
    kubectl("delete", "namespace", identity.namespace, "--wait=false")
    it = tools(repository, identity)
    try:
        with pytest.raises(DeploymentError, match=r"finalizers remaining: example.com/hold"):
            namespaces.await_gone(it.cluster, identity.namespace, patience=20)
    finally:
        kubectl("patch", *held, "-p", '{"metadata": {"finalizers": null}}')
    assert "was being deleted; waited until it was gone" in recovered(it)
    must_come_up(repository, identity)

    # Removed by hand, with everything in it.
    kubectl("delete", "namespace", identity.namespace)
    assert "had been removed" in recovered(it)
    must_come_up(repository, identity)


def test_what_the_database_may_go_through(repository: Checkout, where: str) -> None:
    """Killed while it was made, refusing connections, unknown to the state, its drop interrupted.

    Its data is lost only by the drop.
    """
    identity = repository.stack(own(f"feature/database-{where}"))

    def tooled(*engines: EngineProcess) -> Tools:
        return tools(repository, identity, *engines, database=True)

    def there_is(catalog: str, column: str, name: str) -> bool:
        return bool(on_server(f"SELECT 1 FROM {catalog} WHERE {column} = %s", name))

    role = kill_when(repository, identity, lambda: there_is("pg_roles", "rolname", identity.role))
    recovered(tooled(role))
    database = kill_when(repository, identity, lambda: there_is("pg_database", "datname", identity.database))
    recovered(tooled(role, database))
    must_come_up(repository, identity)
    on_server(f"SET ROLE {identity.role}; CREATE TABLE kept AS SELECT 42 AS answer", database=identity.database)

    on_server(f"SET ROLE {identity.role}; ALTER DATABASE {identity.database} ALLOW_CONNECTIONS false")
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        on_server("SELECT 1", database=identity.database)
    on_server(f"REVOKE {identity.role} FROM CURRENT_USER")
    said = recovered(tooled())
    assert f"no member of the role {identity.role} any more; it is again" in said
    assert "refused connections; it takes them again" in said
    assert on_server("SELECT 1", database=identity.database)
    must_come_up(repository, identity)

    store = tooled().store
    assert store is not None
    store.remove_stack(identity.project, identity.stack)
    repository.must("pulumi", "stack", "select", "--create", identity.stack)
    with pytest.raises(ProtectedError, match=f"{identity.ref} is protected and was deployed"):
        recover(dataclasses.replace(tooled(), protected=True), Action.DEPLOY)
    assert exists("namespace", identity.namespace)()
    assert release_is(identity, "deployed")()
    said = recovered(tooled())
    assert "is not in Pulumi's state; it was uninstalled" in said
    assert f"The namespace {identity.namespace} was this environment's" in said
    assert f"did not know the ledger entry, role, database of {identity.database}" in said
    must_come_up(repository, identity)
    assert on_server("SELECT answer FROM kept", database=identity.database) == [(42,)]
    assert repository.changes(identity) == set()

    interrupt_a_drop(identity)
    said = recovered(tooled())
    assert f"The database {identity.database}, whose drop had been interrupted, was dropped." in said
    assert "had been removed" in said
    must_come_up(repository, identity)


def test_a_database_that_is_somebody_elses(repository: Checkout, where: str) -> None:
    identity = repository.stack(own(f"feature/foreign-database-{where}"))
    on_server(f"CREATE DATABASE {identity.database}")
    try:
        with pytest.raises(OwnershipError, match=f"the database {identity.database} exists and belongs to the role"):
            recover(tools(repository, identity, database=True), Action.DEPLOY)
    finally:
        on_server(f"DROP DATABASE {identity.database}")


def test_destroying_goes_on_from_a_killed_run(repository: Checkout, where: str) -> None:
    without_database(repository)
    identity = repository.stack(own(f"feature/killed-destroyed-{where}"))
    killed = kill_when(repository, identity, release_is(identity, "pending-install"))
    it = dataclasses.replace(tools(repository, identity, killed))
    said = recovered(it, Action.DESTROY)
    assert "had left its lock" in said
    assert "uninstalled" not in said
    repository.must("pulumi", "destroy", "--yes", "--skip-preview", "--stack", identity.stack)
    assert not exists("namespace", identity.namespace)()
