"""Whether the address serves what was deployed: it shows the revision, by the newest pods alone, and all of it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx

from deploytag.delivery.cluster import Cluster
from deploytag.delivery.diagnosis.generations import Snapshot, generation, newest_generations
from deploytag.delivery.diagnosis.informer import (
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    PODS,
    REPLICA_SETS,
    STATEFUL_SETS,
    Informer,
)
from deploytag.delivery.diagnosis.objects import Target
from deploytag.delivery.diagnosis.patience import Patience
from deploytag.delivery.diagnosis.workloads import unsettled
from deploytag.delivery.fetch import EndlessError, fetch, why
from deploytag.documents import DocumentError, parse_json
from deploytag.errors import DeploymentError
from deploytag.identity import Identity
from deploytag.redaction import redact
from deploytag.settings import Verify

KINDS = (ENDPOINT_SLICES, PODS, REPLICA_SETS, STATEFUL_SETS, DEPLOYMENTS)
NEEDED = frozenset({DEPLOYMENTS.field, STATEFUL_SETS.field, PODS.field})
"""What has to be seen before it is said that all of it runs."""
TICK = 0.25
"""Seconds between two tries when nothing changes in the cluster: nodes learn of new endpoints a moment later."""
TRY = 5.0
"""Seconds one answer may take, all of it."""
LARGEST_ANSWER = 1 << 20
"""Bytes of JSON that hold the revision: the application is not trusted to end."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What answered at the address."""

    status: int
    revision: str | None
    """The revision that it shows; None: nobody said where to look."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """What came instead of the right answer."""

    what: str
    """A sentence."""
    reached: bool
    """Whether anything answered."""


def answers(
    cluster: Cluster,
    identity: Identity,
    url: str,
    revision: str,
    verify: Verify,
    *,
    known: str | None,
    rollout: float = 0.0,
    check: Callable[[], None] = lambda: None,
    say: Callable[[str], None] = lambda _: None,
) -> Answer:
    """Wait until the environment's address answers with `revision`, by its newest pods alone, and all of it runs.

    Args:
        known: the address that answered before; another one that is a name gets the time that a cloud needs for it.
        rollout: seconds that all of it may take to run, before the time that the settings give begins.
        check: called again and again meanwhile; what it raises ends the waiting.
        say: told why it takes longer.

    Raises:
        DeploymentError: it did not within the time that the settings give; the sentences say what was seen instead.
    """
    began = now = time.monotonic()
    patience = Patience(verify.timeout, began, new_name=url != known and not _is_ip(url), rollout=rollout)
    said = False
    complaint = "The cluster did not say which pods are behind the address."
    with Informer(cluster, identity.namespace, KINDS) as informer:
        for snapshot in informer.snapshots(TICK):
            check()
            if misplacement := misplaced(snapshot, identity.release):
                complaint = misplacement
            elif not NEEDED.isdisjoint(informer.complaints):
                complaint = "Whether all of it runs is not known."
            elif amiss := unsettled(snapshot, informer.now()):
                complaint = amiss
                patience.rolls_out(time.monotonic())
            elif patience.asks(time.monotonic()):
                seen = _ask(url, verify, revision)
                # What changed meanwhile may be an old pod that came back, and it may be the one that answered.
                if isinstance(seen, Answer) and not informer.changed:
                    return seen
                if isinstance(seen, Complaint):
                    complaint = seen.what
                    if not seen.reached and patience.unreached(time.monotonic()) and not said:
                        say(f"{url} is a new name, which may take minutes to be reached: {complaint}")
                        said = True
            if patience.over(now := time.monotonic()):
                break
        refused = "".join(
            f" The cluster does not show its {field}: {why}." for field, why in informer.complaints.items()
        )
    raise DeploymentError(
        f"{identity.ref} is deployed, but was not seen to serve {revision} at {url}, all of it running, within "
        f"{now - began:.0f} s. {complaint}{refused} The environment stays, to be looked at."
    )


def shows(url: str, verify: Verify, revision: str) -> bool:
    """Whether the address answers and shows that it serves `revision`; asked once, and False where none is shown."""
    seen = _ask(url, verify, revision)
    return isinstance(seen, Answer) and seen.revision is not None


def misplaced(snapshot: Snapshot, release: str) -> str | None:
    """Why the endpoints of the release's Service are not exactly its newest pods; None when they are. Pure."""
    endpoints = [
        endpoint
        for endpoint_slice in snapshot.endpoint_slices
        if endpoint_slice.service == release
        for endpoint in endpoint_slice.endpoints
        if endpoint.conditions.ready
    ]
    if not endpoints:
        return f"No pod is behind the Service {release}: none is ready, or its selector matches none."
    newest = newest_generations(snapshot)
    generations = {pod.uid: generation(pod) for pod in snapshot.pods}
    targets = [endpoint.target_ref or Target(name="an address of no pod") for endpoint in endpoints]
    # A pod that is not there any more is an old one; what makes no generations (a DaemonSet) is taken as it is.
    old = sorted(it.name for it in targets if generations.get(it.uid, "gone") not in {*newest, None})
    if old:
        return (
            f"What is behind the Service {release} is not only the newest pods, but also {', '.join(old)}."
            + "".join(
                f" StatefulSet {name} keeps old pods: its updateStrategy is not a RollingUpdate of all."
                for name in _keeping(snapshot, old)
            )
        )
    return None


def _keeping(snapshot: Snapshot, pods: Collection[str]) -> list[str]:
    """The StatefulSets that are told to leave some of these pods as they are."""
    owners = {it.metadata.controller.uid for it in snapshot.pods if it.name in pods and it.metadata.controller}
    return [it.name for it in snapshot.stateful_sets if it.uid in owners and it.spec.updated < it.spec.replicas]


def shown_revision(verify: Verify, headers: Mapping[str, str], document: Any) -> str | None:
    """The revision where the settings say that it is shown; None: it is not there. Pure."""
    if verify.header is not None:
        return headers.get(verify.header)
    for key in verify.json_path:
        document = document.get(key) if isinstance(document, Mapping) else None
    return document if isinstance(document, str) else None


def _is_ip(url: str) -> bool:
    try:
        ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return False
    return True


def _ask(url: str, verify: Verify, revision: str) -> Answer | Complaint:
    """The right answer, or what came instead."""
    try:
        # A connection of its own: one that is kept would go on leading to the pod that it was made to.
        response = fetch(
            "GET",
            url + verify.path,
            seconds=TRY,
            largest=LARGEST_ANSWER if verify.json_path else None,
            headers={"Cache-Control": "no-cache"},
        )
    except httpx.ConnectError as error:
        return Complaint(f"Nothing can be reached there: {why(error)}.", reached=False)
    except httpx.ReadTimeout:
        return Complaint(f"It began to answer, and had not ended after {TRY:.0f} s.", reached=True)
    except httpx.TimeoutException:
        return Complaint(f"It has not answered within {TRY:.0f} s.", reached=False)
    except EndlessError as error:
        return Complaint(f"It does not show its revision: {error}.", reached=True)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return Complaint(f"It cannot be asked: {why(error)}.", reached=False)
    document = _document(response.content) if verify.json_path else None
    seen = judge(verify, revision, response.status_code, response.headers, document)
    return Complaint(seen, reached=True) if isinstance(seen, str) else seen


def judge(verify: Verify, revision: str, status: int, headers: Mapping[str, str], document: Any = None) -> Answer | str:
    """Whether an answer is the right one, or what is wrong with it. Pure, but for what this process redacts."""
    if status >= 500:
        return f"It answered with status {status}."
    if not verify.json_path and verify.header is None:
        return Answer(status, None)
    where = f"header {verify.header}" if verify.header else f"JSON key {'.'.join(verify.json_path)}"
    shown = shown_revision(verify, headers, document)
    if shown == revision:
        return Answer(status, shown)
    said = "no revision" if shown is None else f"the revision {redact(shown)[:60]!r}"
    return f"It answered with status {status} and shows {said} ({where})."


def _document(content: bytes) -> Any:
    """What it says in JSON; None when it is none."""
    try:
        return parse_json(content)
    except DocumentError:
        return None
