"""What the tests of recovery act with: the real Pulumi, helm, cluster and server, and a lease that is always held."""

import contextlib
import json
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql

from deploytag.administrator import Administrator
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.recovery import Tools, recover
from deploytag.delivery.run import Action
from deploytag.delivery.store import StateStore
from deploytag.identity import Identity
from deploytag.preflight.cluster import connect
from tests.e2e.program.checkout import Checkout, Finished
from tests.e2e.program.inventory import kubectl


@dataclass(frozen=True)
class Engine:
    """Plain Pulumi in a checkout."""

    checkout: Checkout
    stack: str
    commands: list[str] = field(default_factory=list)

    def refresh(self, *, clear_pending: bool, exclude: Sequence[str]) -> None:
        """`pulumi refresh`."""
        self.commands.append("refresh")
        more = ["--clear-pending-creates"] if clear_pending else []
        more += [argument for urn in exclude for argument in ("--exclude", urn)]
        self.checkout.must("pulumi", "refresh", "--yes", "--skip-preview", "--stack", self.stack, *more)

    def creations(self) -> dict[str, Any]:
        """`pulumi preview --import-file`."""
        self.commands.append("preview")
        path = self.checkout.path / ".deploytag" / "creations.json"
        self.checkout.must("pulumi", "preview", "--stack", self.stack, "--import-file", str(path))
        content: dict[str, Any] = json.loads(path.read_text())
        return content

    def adopt(self, resources: Mapping[str, Any]) -> None:
        """`pulumi import`."""
        self.commands.append("import")
        path = self.checkout.path / ".deploytag" / "imports.json"
        path.write_text(json.dumps(resources))
        more = ("--protect=false", "--generate-code=false", "--file", str(path))
        self.checkout.must("pulumi", "import", "--yes", "--skip-preview", "--stack", self.stack, *more)

    def state(self) -> dict[str, Any] | None:
        """Never asked: these tests have folders and buckets."""
        raise AssertionError


@dataclass(frozen=True)
class Commands:
    """Commands without anything that holds them."""

    checkout: Checkout

    def run(self, command: Sequence[str], *, cwd: Path, timeout: float | None = None) -> Finished:
        """Run it in the checkout."""
        assert cwd == self.checkout.path
        return self.checkout.run(*command, timeout=timeout or 60)


@dataclass(frozen=True)
class EngineProcess:
    """An engine that a test started."""

    host: str
    pid: int
    started: datetime


@dataclass
class Lease:
    """Held by the test, who says which engines earlier runs had."""

    engines: tuple[EngineProcess, ...] = ()

    def engines_ended(self) -> None:
        """Forget them."""
        self.engines = ()

    def check(self) -> None:
        """It is held."""


def tools(checkout: Checkout, identity: Identity, *engines: EngineProcess, database: bool = False) -> Tools:
    """What a run would recover with."""
    api, _ = connect(checkout.environ["KUBECONFIG"])
    return Tools(
        identity=identity,
        repository=checkout.path,
        cluster=Cluster(api),
        store=StateStore.from_environ(checkout.environ, checkout.path),
        administrator=Administrator.from_environ(checkout.environ) if database else None,
        engine=Engine(checkout, identity.stack),
        commands=Commands(checkout),
        lease=Lease(engines),
    )


def recovered(it: Tools, action: Action = Action.DEPLOY) -> str:
    """What recovery repaired; after it, nothing is left to repair."""
    said = recover(it, action)
    assert recover(it, action) == []
    return "\n".join(said)


def kill_when(checkout: Checkout, identity: Identity, begun: Callable[[], bool]) -> EngineProcess:
    """`pulumi up`, killed with everything it started as soon as `begun`; not even Helm gets to say a word."""
    started = datetime.now(UTC)
    command = ["pulumi", "up", "--yes", "--skip-preview", "--stack", identity.stack]
    with subprocess.Popen(
        command, cwd=checkout.path, env=checkout.environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as engine:
        try:
            while not begun():
                assert engine.poll() is None, "the update ended before it could be killed"
        except BaseException:
            engine.kill()
            raise
        else:
            root = psutil.Process(engine.pid)
            everything = [root, *root.children(recursive=True)]
            # Stopped first: a plugin that saw another one die could still act.
            for signal in (psutil.Process.suspend, psutil.Process.kill):
                for process in everything:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        signal(process)
            psutil.wait_procs(everything, timeout=30)
    return EngineProcess(socket.gethostname(), engine.pid, started)


def exists(*arguments: str) -> Callable[[], bool]:
    """Whether kubectl finds an object."""
    return lambda: bool(kubectl("get", *arguments, "--ignore-not-found", "-o", "name"))


def release_is(identity: Identity, status: str) -> Callable[[], bool]:
    """Whether Helm's newest word on the release is `status`."""
    return exists("secret", "-n", identity.namespace, "-l", f"owner=helm,name={identity.release},status={status}")


def interrupt_a_drop(identity: Identity) -> None:
    """Leave the database as PostgreSQL does when a DROP DATABASE ends before its end: there, and invalid."""
    for _ in range(50):
        if _interrupted(identity):
            return
        # The drop was faster.
        on_server(f"CREATE DATABASE {identity.database} OWNER {identity.role}")
    raise AssertionError(f"no drop of {identity.database} could be interrupted")


def _interrupted(identity: Identity) -> bool:
    drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(identity.database))
    invalid = "SELECT datconnlimit = -2 FROM pg_database WHERE datname = %s"
    with psycopg.connect(autocommit=True) as watching, ThreadPoolExecutor(1) as thread:
        dropping = psycopg.connect(autocommit=True)
        dropped = thread.submit(dropping.execute, drop)
        while watching.execute(invalid, [identity.database]).fetchone() == (False,) and not dropped.done():
            pass
        watching.execute("SELECT pg_terminate_backend(%s)", [dropping.info.backend_pid])
        with contextlib.suppress(psycopg.OperationalError):
            dropped.result()
        dropping.close()
        return watching.execute(invalid, [identity.database]).fetchone() == (True,)


def on_server(statement: str, *values: object, database: str = "postgres") -> list[tuple[Any, ...]]:
    """Run SQL as the administrator."""
    with psycopg.connect(dbname=database, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []
