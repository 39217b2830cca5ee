"""Starts the parts, each as soon as those it needs answer, and waits until all of them do."""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from threading import Event

from sandbox.command import last_lines
from sandbox.errors import SandboxError
from sandbox.layout import Layout
from sandbox.patience import NotYetError, patiently
from sandbox.probes import Probes
from sandbox.services import Part
from sandbox.supervisor import Supervisor

# A machine whose two cores are busy compiling takes several times as long as an idle one.
SECONDS = 120.0


class _AbandonedError(Exception):
    """Another part failed, or the user interrupted: nobody waits for this one any longer."""


def start_all(
    parts: Iterable[Part], layout: Layout, probes: Probes, afterwards: Mapping[str, Callable[[], None]]
) -> dict[str, float]:
    """Start what does not run; return how long each part took to answer.

    `afterwards` holds what to do as soon as a part answers, beside the start of the others.
    """
    parts = list(parts)
    began = time.monotonic()
    answering = {part.name: Event() for part in parts}
    abandoned = Event()

    def start(part: Part) -> float:
        for name in part.needs:
            while not answering[name].wait(0.1):
                if abandoned.is_set():
                    raise _AbandonedError
        supervisor = Supervisor(layout.supervisor_socket)
        supervisor.start(part.name)

        def answers() -> None:
            if abandoned.is_set():
                raise _AbandonedError
            state = supervisor.states()[part.name]
            if state.hopeless:
                raise SandboxError(f"{part.name} ends as soon as it is started.{_log(layout, part)}")
            if question := probes.of(part.name):
                question()
            elif not state.running:
                raise NotYetError(f"it is {state.state.lower()}")

        try:
            patiently(answers, SECONDS)
        except NotYetError as error:
            raise SandboxError(
                f"{part.name} did not answer within {SECONDS:.0f} s: {error}.{_log(layout, part)}"
            ) from None
        answering[part.name].set()
        seconds = time.monotonic() - began
        if part.name in afterwards:
            afterwards[part.name]()
        return seconds

    with ThreadPoolExecutor(len(parts)) as pool:
        running = {part.name: pool.submit(start, part) for part in parts}
        try:
            wait(running.values(), return_when=FIRST_EXCEPTION)
            for future in running.values():
                if future.done() and (error := future.exception()):
                    raise error
        finally:
            # Also on Ctrl-C: leaving the block waits for the threads.
            abandoned.set()
        return {name: future.result() for name, future in running.items()}


def unready(parts: Iterable[Part], layout: Layout, probes: Probes) -> dict[str, str]:
    """The parts that do not answer at this moment, and what is missing."""
    states = Supervisor(layout.supervisor_socket).states()

    def ask(part: Part) -> str | None:
        if not states[part.name].running:
            return f"it is {states[part.name].state.lower()}"
        try:
            if question := probes.of(part.name):
                question()
        except NotYetError as error:
            return str(error)
        return None

    parts = list(parts)
    with ThreadPoolExecutor(len(parts)) as pool:
        answers = zip(parts, pool.map(ask, parts), strict=True)
        return {part.name: missing for part, missing in answers if missing is not None}


def _log(layout: Layout, part: Part) -> str:
    path = layout.logs / f"{part.name}.log"
    lines = last_lines(path.read_text(errors="replace"), 8) if path.exists() else ""
    return f" Its log, {path}, ends:\n{lines}" if lines else ""
