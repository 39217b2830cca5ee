"""Pulumi's state: can it be written, can its secrets be read, and does somebody hold a lock?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import uuid4

from deploytag.delivery.backend import Backend
from deploytag.delivery.doctor.findings import Finding, ok, problem, warning
from deploytag.delivery.engine import SECRETS_PROVIDER
from deploytag.delivery.project import Project
from deploytag.delivery.store import Lock, StateStore, limitation
from deploytag.errors import SettingsError


def backend(root: Path, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether the state can be written: a file is, and taken back."""
    found = Backend.find(environ, root)
    cure = "Set PULUMI_BACKEND_URL, such as s3://our-pulumi-state."
    if found is None:
        yield problem("no state backend is named", cure, SettingsError)
        return
    if found.origin != "PULUMI_BACKEND_URL":
        yield warning(f"{found.said} comes from {found.origin}: another machine may use another", cure)
    store = StateStore.from_environ(environ, root)
    if store is None:
        yield warning(
            limitation(environ, root) or f"{found.said} is a service, and was not asked", "See that it can be written."
        )
        return
    folder = store.root if store.root.exists() else store.root.parent
    trial = folder / f"doctor-{uuid4()}"
    try:
        trial.write_bytes(b"")
        trial.unlink()
    except store.failures as error:
        yield problem(f"{found.said} cannot be written: {error}", f"{found.origin} and the credentials decide.")
        return
    yield ok(f"{found.said} can be written")


def secrets_provider(project: Project, environ: Mapping[str, str]) -> Iterator[Finding]:
    """How the secrets in the state are encrypted."""
    passphrase_file = environ.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    if provider := environ.get(SECRETS_PROVIDER):
        yield ok(f"{SECRETS_PROVIDER} is {provider}: new stacks are made with it")
    elif environ.get("PULUMI_CONFIG_PASSPHRASE"):
        yield ok("PULUMI_CONFIG_PASSPHRASE is set")
    elif passphrase_file:
        if Path(passphrase_file).is_file():
            yield ok(f"PULUMI_CONFIG_PASSPHRASE_FILE is {passphrase_file}")
        else:
            yield problem(
                f"PULUMI_CONFIG_PASSPHRASE_FILE names {passphrase_file}, which is no file", kind=SettingsError
            )
    elif "PULUMI_CONFIG_PASSPHRASE" in environ:
        yield warning("PULUMI_CONFIG_PASSPHRASE is empty: whoever sees the state can read its secrets", "Set one.")
    elif providers := _providers(project):
        yield warning(
            f"{', '.join(sorted(providers))} (the stacks' own), and nothing for the stack of a new branch",
            f"Set {SECRETS_PROVIDER} to the same.",
        )
    else:
        yield problem(
            f"neither PULUMI_CONFIG_PASSPHRASE nor {SECRETS_PROVIDER} is set, and no stack names a secrets provider",
            f"Set one of them: {SECRETS_PROVIDER} to awskms://… or another of Pulumi's providers.",
            SettingsError,
        )
    if environ.get("PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER") != "true":
        yield warning(
            "a checkout without a stack's file cannot read that stack's secrets",
            "Set PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER=true.",
        )


def _providers(project: Project) -> set[str]:
    """The secrets providers that files of stacks name, by their scheme."""
    folder = project.root / project.need_pulumi().stackConfigDir
    found = set()
    for path in folder.glob("Pulumi.*.yaml"):
        for line in path.read_text(errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key == "secretsprovider" and value.strip() not in ("", "passphrase"):
                found.add(value.strip().partition("://")[0])
    return found


def locks(project: Project, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Locks on the state: a dead run's goes with the next run, a person's never."""
    store = StateStore.from_environ(environ, project.root)
    if store is None:
        yield ok("the state is with a service, which has locks of its own")
        return
    name = project.need_pulumi().name
    free = True
    for stack in store.stacks(name):
        for lock in store.locks(name, stack):
            free = False
            yield held(stack, lock)
    if free:
        yield ok("no stack is locked")


def held(stack: str, lock: Lock) -> Finding:
    """Who holds a lock since when. Pure."""
    holder = lock.holder
    who = f"{holder.username}@{holder.hostname} (process {holder.pid})" if holder else "somebody who did not say who"
    return warning(
        f"{stack} is locked by {who} since {lock.written:%Y-%m-%d %H:%M:%S %Z}",
        f"If nobody works on it any more: `pulumi cancel --stack {stack}`. A dead run's lock goes with the next run.",
    )
