"""The report of a run on one environment, however it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from deploytag.cli.app import print_json

if TYPE_CHECKING:
    from deploytag.delivery.progress import Progress
    from deploytag.delivery.report import Report
    from deploytag.delivery.run import Action
    from deploytag.identity import Identity


@contextmanager
def reporting(
    action: Action, identity: Identity, progress: Progress, *, as_json: bool
) -> Iterator[Callable[[Report], None]]:
    """What takes a run's report; with `as_json` it is printed, and so is that of a run that fails."""

    def show(report: Report) -> None:
        if as_json:
            print_json(report)

    try:
        yield show
    except Exception as error:
        from deploytag.delivery.report import failure

        report = failure(error, action, identity.ref, identity.stack)
        show(report.model_copy(update={"seconds": dict(progress.seconds)}))
        raise
