"""DeployTag beside the script that people write by hand (`by_hand.sh`), step by step in one sitting.

    eval "$(make -s env)"; python -m bench.script [ROUNDS]

Each round takes one branch through its life twice, once with each, in turn who is first: a first push with images in
the registry, nothing changed, a Python file changed, and the end. What both run: images, secret, namespace, database,
migration, chart, until the address shows the commit. The application's tests are left out, and its Redis and worker.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.e2e.delivery.pushing import Pushing, pushing
from tests.e2e.program.checkout import become_administrator

SCRIPT = Path(__file__).with_name("by_hand.sh")
Command = Callable[[str, str], None]


def main(rounds: int) -> None:
    """Time both, and print each step's medians, their difference and their ratio."""
    become_administrator()
    seconds: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory() as folder, pushing(Path(folder)) as it:
        it.small()
        it.push("main", "a small application")
        write_values(it)

        def by_hand(verb: str, ref: str) -> None:
            subprocess.run([SCRIPT, verb, ref], cwd=it.path, env=it.checkout.environ, check=True)

        def deploytag(verb: str, ref: str) -> None:
            it.report(verb, ref)

        contenders: list[tuple[str, Command]] = [("script", by_hand), ("deploytag", deploytag)]
        for _, command in contenders:  # so that the images are there, whoever comes first
            life(it, "feature/warm", command)
        for number in range(rounds):
            for name, command in contenders:
                for step, took in life(it, f"feature/bench-{number}-{name}", command).items():
                    seconds[step][name].append(took)
            contenders.reverse()
    print(f"{'step':22} {'script':>9} {'deploytag':>10} {'more':>8} {'ratio':>6}   medians of {rounds}")
    for step, by in seconds.items():
        script, ours = statistics.median(by["script"]), statistics.median(by["deploytag"])
        print(f"{step:22} {script:7.1f} s {ours:8.1f} s {ours - script:+6.1f} s {ours / script:6.2f}")


def life(it: Pushing, ref: str, command: Command) -> dict[str, float]:
    """Take a branch from its first push to its end; the seconds of each step."""
    it.switch("main")
    it.push(ref)
    seconds = {
        "a first push": timed(command, "deploy", ref),
        "nothing changed": timed(command, "deploy", ref),
    }
    path = it.path / "app" / "web.py"
    path.write_text(f"{path.read_text()}# {time.time()}\n")
    it.push(ref, "an edit")
    seconds["a Python file changed"] = timed(command, "deploy", ref)
    seconds["destroy"] = timed(command, "destroy", ref)
    return seconds


def timed(command: Command, verb: str, ref: str) -> float:
    """How long it took."""
    began = time.monotonic()
    command(verb, ref)
    return time.monotonic() - began


def write_values(it: Pushing) -> None:
    """The chart's values for the script: those that DeployTag is told too, and ignored by git."""
    values = yaml.safe_load((it.path / "deploytag.yaml").read_text())["chart"]["values"]
    (it.path / ".values.yaml").write_text(yaml.safe_dump(values))
    (it.path / ".git" / "info" / "exclude").write_text(
        ".values.yaml\n.variables\n.build.json\n.context\ncharts/app/charts\n"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
