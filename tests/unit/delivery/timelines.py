"""What a cluster said while tiny charts were installed, replayed; recorded by `tests.e2e.delivery.record_timelines`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from deploytag.delivery.diagnosis import causes
from deploytag.delivery.diagnosis.cause import Cause
from deploytag.delivery.diagnosis.generations import Snapshot, baseline
from deploytag.delivery.diagnosis.objects import KubernetesObject
from deploytag.delivery.diagnosis.watch import KINDS

FOLDER = Path(__file__).parent / "timelines"
MODELS = {kind.field: kind.model for kind in KINDS}
TICK = timedelta(seconds=1)


@dataclass(frozen=True)
class Change:
    """Something that was said; without an object: a run began."""

    at: datetime
    field: str = ""
    deleted: bool = False
    object: KubernetesObject | None = None


@cache
def timeline(case: str) -> tuple[Change, ...]:
    """A recording, read as the informer reads what the server sends."""
    return tuple(_change(json.loads(line)) for line in (FOLDER / f"{case}.jsonl").read_text().splitlines())


def _change(line: dict[str, Any]) -> Change:
    at = datetime.fromisoformat(line["at"])
    if "run" in line:
        return Change(at)
    model = MODELS[line["of"]]
    return Change(at, line["of"], line["type"] == "DELETED", model.model_validate(line["object"]))


class Namespace:
    """A namespace to which changes happen."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, KubernetesObject]] = {field: {} for field in MODELS}

    def apply(self, change: Change) -> None:
        if change.object is not None and change.deleted:
            self.objects[change.field].pop(change.object.uid, None)
        elif change.object is not None:
            self.objects[change.field][change.object.uid] = change.object

    @property
    def snapshot(self) -> Snapshot:
        return Snapshot(**{field: tuple(found.values()) for field, found in self.objects.items()})  # type: ignore[arg-type]


def looks(changes: tuple[Change, ...], then: timedelta = timedelta()) -> Iterator[tuple[Snapshot, datetime, bool]]:
    """The namespace after each change and each second, for as long as was recorded and `then` longer.

    With it whether a run begins at that moment.
    """
    namespace, now = Namespace(), changes[0].at
    for change in changes:
        while now + TICK < change.at:
            now += TICK
            yield namespace.snapshot, now, False
        now = max(now, change.at)
        namespace.apply(change)
        yield namespace.snapshot, now, change.object is None
    for _ in range(int(then.total_seconds())):
        now += TICK
        yield namespace.snapshot, now, False


def watch(case: str, then: timedelta = timedelta()) -> tuple[Cause, datetime] | None:
    """The cause that a watcher would have found, and when; in a recording of two runs, that of the second."""
    changes = timeline(case)
    before: frozenset[str] | None = None if any(it.object is None for it in changes) else frozenset()
    for snapshot, now, begins in looks(changes, then):
        if begins:
            before = baseline(snapshot)
        elif before is not None and (cause := causes.find(snapshot, now, before)):
            return cause, now
    return None
