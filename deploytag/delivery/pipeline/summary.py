"""A run's report in the forms that CI systems show and pass on.

Branch names, error texts and log lines are written by whoever pushes. So each form is rendered such that no value can
end its field and begin another: a variable for later jobs is one line, and markdown shows text as text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploytag.delivery.removal.collect import ItemOutcome
from deploytag.delivery.removal.collection import Collection, Task
from deploytag.delivery.report import Report, Result
from deploytag.delivery.run import Action
from deploytag.output import shown_as_one_line
from deploytag.printable import printable
from deploytag.redaction import redact

GITLAB_REPORT = "deploytag.env"
"""The file to name as `artifacts: reports: dotenv:` of the GitLab job."""

_LARGEST = 1_000_000
"""Bytes of a job's summary: GitHub takes a mebibyte for a step, and nothing of a larger one."""
# A reason may quote a long log, and a warning name anything.
_LONGEST_REASON = 20_000
_LONGEST_LINE = 1000
_MOST_LINES = 100

_HEADINGS = {
    Result.DEPLOYED: "{ref} is deployed",
    Result.UNCHANGED: "{ref} is up to date",
    Result.DESTROYED: "{ref} is gone",
    Result.ASLEEP: "{ref} is asleep",
    Result.AWAKE: "{ref} is awake",
    Result.SYNCED: "{ref} has the newest secrets",
    Result.COLLECTED: "What should not exist is collected",
    Result.SKIPPED: "{ref}: nothing to do",
    Result.FAILED: "{ref} could not be {done}",
    Result.INTERRUPTED: "{ref}: the run was interrupted",
}
_ALREADY = {Action.DESTROY: Result.DESTROYED, Action.SLEEP: Result.ASLEEP, Action.WAKE: Result.AWAKE}
_DONE = {
    Action.DEPLOY: "deployed",
    Action.DESTROY: "removed",
    Action.SLEEP: "put to sleep",
    Action.WAKE: "woken",
    Action.SYNC: "given the newest secrets",
    None: "carried out",
}


def headline(ending: Report | Collection) -> str:
    """How it ended, as the last line of a log."""
    if isinstance(ending, Collection):
        return _of_collection(ending)
    line = _heading(ending, shown_as_one_line(ending.ref or "this run"))
    return f"{line}: {shown_as_one_line(ending.url)}" if ending.url and ending.outcome.ok else line


def markdown(ending: Report | Collection) -> str:
    """The job's summary."""
    text = _collection(ending) if isinstance(ending, Collection) else _run(ending)
    if len(content := text.encode()) <= _LARGEST:
        return text
    # What comes last are lists, a line for each entry.
    return f"{content[:_LARGEST].decode(errors='ignore').rpartition(chr(10))[0]}\n- …\n"


def _run(report: Report) -> str:
    facts = [
        (
            "URL" if report.outcome.ok else "what was deployed before still serves at",
            _link(report.url) if report.url else None,
        ),
        ("commit", _code(report.revision[:12]) if report.revision else None),
        ("stack", _code(report.stack) if report.stack else None),
        ("time", _times(report.seconds) if report.seconds else None),
        ("expires", _code(f"{report.expires:%Y-%m-%d %H:%M %Z}".strip()) if report.expires else None),
    ]
    return _blocks(
        _heading(report, _code(report.ref) if report.ref else "this run"),
        report.reason,
        [f"- {name}: {value}" for name, value in facts if value],
        {
            "Repaired first": report.repaired,
            "Removed": report.removed,
            "Left over": report.left,
            "Warnings": report.warnings,
        },
    )


def _collection(it: Collection) -> str:
    done: list[tuple[str, Task]] = [(f"{entry.deed} {entry.ref}: {entry.reason}", entry) for entry in it.entries]
    done += [(f"delete {image.repository}@{image.digest[:19]}: {image.reason}", image) for image in it.images]
    return _blocks(
        _of_collection(it),
        it.reason,
        [],
        {
            "Collected": [line for line, deed in done if deed.outcome is ItemOutcome.DONE],
            "Skipped": [f"{line} -> {deed.why}" for line, deed in done if deed.outcome is ItemOutcome.SKIPPED],
            "Left over": it.left,
            "No image is deleted": [it.images_withheld] if it.images_withheld else [],
            "Collected soon": [f"{note.subject} {note.text}" for note in it.warnings],
            "Left alone": [f"{note.subject}: {note.text}" for note in it.left_alone],
        },
    )


def _of_collection(it: Collection) -> str:
    if it.outcome is not Result.COLLECTED:
        return "Not everything could be collected"
    return _HEADINGS[Result.COLLECTED] if it.entries or it.images else "There was nothing to collect"


def _blocks(heading: str, reason: str | None, facts: Sequence[str], lists: Mapping[str, Sequence[str]]) -> str:
    blocks = [f"### {heading}"]
    if reason:
        blocks.append(_block(reason))
    if facts:
        blocks.append("\n".join(facts))
    for title, lines in lists.items():
        if lines:
            shown = [f"- {_code(_shortened(line))}" for line in lines[:_MOST_LINES]]
            more = [f"- … and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else []
            blocks.append("\n".join([f"**{title}**", "", *shown, *more]))
    return "\n\n".join(blocks) + "\n"


def github_output(ending: Report | Collection) -> str:
    """Lines for GITHUB_OUTPUT: `url`, `ref`, `result`; empty where there is none."""
    return "".join(f"{name}={shown_as_one_line(value or '')}\n" for name, value in _values(ending).items())


def dotenv(ending: Report | Collection) -> str:
    """Lines for GitLab's dotenv report; without a URL there is no DEPLOYTAG_URL, which `environment: url` may not have.

    None of these names is one that DeployTag itself reads: later jobs of the pipeline inherit them.
    """
    values = _values(ending).items()
    return "".join(f"DEPLOYTAG_{name.upper()}={shown_as_one_line(value)}\n" for name, value in values if value)


def _values(ending: Report | Collection) -> dict[str, str | None]:
    url, ref = (ending.url, ending.ref) if isinstance(ending, Report) else (None, None)
    return {"url": url, "ref": ref, "result": ending.outcome}


def write(ending: Report | Collection, environ: Mapping[str, str], directory: Path) -> None:
    """Tell the CI that this run is part of, if any; `directory` is where a GitLab job would have its checkout."""
    if path := environ.get("GITHUB_STEP_SUMMARY"):
        _append(Path(path), markdown(ending))
    if path := environ.get("GITHUB_OUTPUT"):
        _append(Path(path), github_output(ending))
    if environ.get("GITLAB_CI") == "true":
        Path(environ.get("CI_PROJECT_DIR") or directory, GITLAB_REPORT).write_text(
            redact(dotenv(ending)), encoding="utf-8"
        )


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(redact(text))


def _heading(report: Report, ref: str) -> str:
    outcome = report.outcome
    if outcome is Result.UNCHANGED and report.action is not None:
        outcome = _ALREADY.get(report.action, outcome)
    return _HEADINGS[outcome].format(ref=ref, done=_DONE[report.action])


def _times(seconds: Mapping[str, float]) -> str:
    phases = ", ".join(f"{phase} {taken:.1f} s" for phase, taken in seconds.items())
    return f"{sum(seconds.values()):.1f} s ({phases})"


def _code(text: str) -> str:
    """Inline code, in which markdown and HTML mean nothing; fenced by more backticks than it contains in a row."""
    line = shown_as_one_line(text)
    fence = "`" * (_longest_run(line) + 1)
    padding = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{padding}{line}{padding}{fence}"


def _block(text: str) -> str:
    text = redact(text)  # before it is cut, which would leave a part of a value that is no value any more
    if len(text) > _LONGEST_REASON:
        # The end of a log says more than its beginning, and the first line says what it is about.
        first, _, rest = text.partition("\n")
        text = f"{first[:_LONGEST_REASON]}\n…\n{rest[-_LONGEST_REASON:]}"
    text = printable(text)
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}text\n{text}\n{fence}"


def _shortened(line: str) -> str:
    line = redact(line)  # as above
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def _link(url: str) -> str:
    """A link where it is one; what is no plain address is shown and not followed."""
    line = shown_as_one_line(url)
    return f"<{line}>" if re.fullmatch(r"https?://[A-Za-z0-9._:/?#\[\]@!$&'()*+,;=%~-]+", line) else _code(line)
