"""The engine's events, as lines for a person."""

from collections.abc import Callable

from deploytag.delivery.events import Diagnostic, Event, Step
from deploytag.delivery.progress import Progress

DONE = {
    "create": "made",
    "update": "changed",
    "replace": "replaced",
    "create-replacement": "made anew",
    "delete": "removed",
    "delete-replaced": "removed the old",
    "import": "took over",
}


def show(progress: Progress) -> Callable[[Event], None]:
    """Tells a person what the engine changed, and what it complains of as soon as it does."""
    complained: set[str] = set()

    def on_event(event: Event) -> None:
        match event:
            case Step(state="done", changes=True, operation=operation):
                # Images are `retain_on_delete`: only the state forgets them.
                kept = operation == "delete" and event.kind == "Image"
                did = "left in the registry:" if kept else DONE.get(operation, operation)
                progress.say(f"{did} {event.kind} {event.name}")
            case Step(state="begun" | "done", operation=operation):
                progress.detail(f"{event.state} {operation} {event.kind} {event.name}")
            case Step(state="failed"):
                progress.fail(f"failed {event.kind} {event.name}")
            case Diagnostic(severity="warning", message=message, status=False) if message not in complained:
                complained.add(message)
                progress.warn(message)

    return on_event
