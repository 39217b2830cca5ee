"""What each command of a branch's life takes: seconds, and of the processor's time that of all its children.

    eval "$(make -s env)"; python -m bench.commands

in a checkout of its own of the sample application, without its Redis, worker and tests. Another commit is measured in
a worktree of that one, in the same sitting.
"""

import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.e2e.delivery.pushing import pushing
from tests.e2e.program.checkout import become_administrator

REF = "feature/bench"


def main() -> None:
    """Live once, from a first deployment to the end, and print a line for each command."""
    become_administrator()
    with tempfile.TemporaryDirectory() as folder, pushing(Path(folder)) as it:
        it.small()
        it.push(REF)
        measure("a first deployment", lambda: it.report("deploy", REF))
        measure("nothing changed", lambda: it.report("deploy", REF))
        path = it.path / "app" / "web.py"
        path.write_text(f"{path.read_text()}# {time.time()}\n")
        it.push(REF, "an edit")
        measure("a Python file changed", lambda: it.report("deploy", REF))
        measure("ls", lambda: it.report("ls"))
        measure("destroy", lambda: it.report("destroy", REF))


def measure(what: str, command: Callable[[], object]) -> None:
    """Print what it took."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command()
    seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{what:25} {seconds:6.1f} s, processor {processor:6.1f} s", flush=True)


if __name__ == "__main__":
    main()
