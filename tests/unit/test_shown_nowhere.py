"""No value that this process knows survives what it prints, in whatever form and by whatever way."""

import base64
import contextlib
import io
import json
import logging
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import TextIO, cast
from unittest.mock import patch
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploytag import redaction
from deploytag.build_message import LIMIT
from deploytag.cli.app import print_json, say
from deploytag.cli.fleet import _print_table
from deploytag.delivery.build_log import BuildOutput
from deploytag.delivery.events import Diagnostic
from deploytag.delivery.fleet import Row, State
from deploytag.delivery.pipeline import summary
from deploytag.delivery.progress import Progress
from deploytag.delivery.report import Report, Result
from deploytag.delivery.run import Action
from deploytag.encodings import in_base64, in_hexadecimal
from deploytag.output import LogFilter, Redacting
from deploytag.printable import one_line, printable
from deploytag.redaction import REDACTED, Redactor, redact
from tests.unit.delivery.test_build_log import APP

REF = "feature/test"
ODD = ["##[group]", "\x1b[31m", "  ", "\t", "\\", "\x07", "\u202e", "\r\n", "\n::", '"', "'", "&<>", "/%+=", "é€", "`"]
"""What is rewritten before it is printed, and what encodings escape."""
around = st.lists(st.sampled_from(ODD) | st.text(st.characters(exclude_categories=["Cs"]), max_size=4), max_size=4)


@st.composite
def values(draw: st.DrawFn) -> str:
    """Long enough to be a secret, and in no other text."""
    before, after = ("".join(draw(around)) for _ in range(2))
    return f"{before}Zq9-canary{after}"


def in_go(value: str) -> str:
    return json.dumps(value).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON": json.dumps,
    "JSON, Unicode": lambda value: json.dumps(value, ensure_ascii=False),
    "JSON, Go": in_go,
    "JSON, PHP": lambda value: json.dumps(value).replace("/", "\\/"),
    "JSON in JSON": lambda value: json.dumps(json.dumps(value)),
    "Python": repr,
    "URL": lambda value: quote(value, safe=""),
    "path": quote,
    "query": quote_plus,
    "JavaScript": lambda value: quote(value, safe="!'()*"),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64, URL": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "hexadecimal": lambda value: value.encode().hex(),
    "HEXADECIMAL": lambda value: value.encode().hex().upper(),
}


def of_progress(text: str) -> str:
    out = io.StringIO()
    progress = Progress(cast("TextIO", Redacting(out)), verbose=True)
    for tell in (progress.say, progress.detail, progress.quote, progress.warn, progress.fail, progress.done):
        tell(text)
    return out.getvalue()


def of_say(text: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(Redacting(out)):
        say(text)
    return out.getvalue()


def of_json(text: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(Redacting(out)):
        print_json({"line": text})
    return str(json.loads(out.getvalue())["line"])


def of_a_log(text: str) -> str:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.addFilter(LogFilter())
    handler.handle(logging.LogRecord("deploytag", logging.WARNING, __file__, 1, "it is %s", (text,), None))
    return out.getvalue()


def of_a_build(text: str) -> str:
    output = BuildOutput()
    output.listen(Diagnostic("info", text, APP, status=True))
    output.listen(Diagnostic("error", text, APP))
    return redact(output.text) + "\n".join(map(redact, output.ending))


def of_a_summary(text: str) -> str:
    report = Report(
        action=Action.DEPLOY,
        ref=REF,
        stack="feature-test",
        outcome=Result.FAILED,
        url=text,
        reason=text,
        repaired=(text,),
        removed=(text,),
        left=(text,),
        warnings=(text,),
    )
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("summary", "outputs")]
        environ = dict(zip(("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"), map(str, files), strict=True))
        summary.write(report, environ | {"GITLAB_CI": "true"}, Path(folder))
        return "".join(path.read_text() for path in (*files, Path(folder, summary.GITLAB_REPORT)))


WAYS = (of_progress, of_say, of_json, of_a_log, of_a_build, of_a_summary)


@contextmanager
def knowing(*known: str) -> Iterator[None]:
    with patch.object(redaction, "PROCESS", Redactor(known)):
        yield


def squeezed(text: str) -> str:
    return "".join(text.split())


@settings(max_examples=40)
@given(values())
def test_no_form_of_a_value_is_shown(value: str) -> None:
    with knowing(value):
        for encode in ENCODINGS.values():
            form = encode(value)
            # What it would be if it were rewritten first.
            survivors = {form, printable(form), one_line(form), encode(printable(value)), encode(one_line(value))}
            for way in WAYS:
                shown = way(f"it is {form}, or so")
                assert REDACTED in shown, (way, form)
                assert not any(squeezed(survivor) in squeezed(shown) for survivor in survivors), (way, form, shown)


@settings(max_examples=40)
@given(values(), st.binary(max_size=90), st.binary(max_size=90), st.sampled_from([60, 64, 76]))
def test_no_value_is_shown_where_an_encoding_is_broken_into_lines(
    value: str, before: bytes, after: bytes, width: int
) -> None:
    whole, raw = before + value.encode() + after, value.encode()
    encodings = {
        base64.b64encode(whole).decode(): in_base64,
        base64.urlsafe_b64encode(whole).decode(): in_base64,
        whole.hex(): in_hexadecimal,
    }
    with knowing(value):
        for encoded, forms in encodings.items():
            lines = textwrap.wrap(encoded, width, break_on_hyphens=False)
            for way, end in product(WAYS, ("\n", "\\n")):
                shown = squeezed(way(end.join(lines)).replace("\\n", ""))
                assert not any(form.rstrip("=") in shown for form in forms(raw)), (way, lines)


@pytest.mark.parametrize(("way", "limit"), [(of_a_summary, 1000), (of_a_summary, 20_000), (of_a_build, LIMIT)])
@pytest.mark.parametrize("behind", [True, False])
def test_nothing_is_cut_before_it_is_redacted(way: Callable[[str], str], limit: int, *, behind: bool) -> None:
    """What is too long is shortened, and would begin or end in the middle of a value."""
    mark = "Zq9XwVkJpQmRbTzYhLgN"
    for short in range(3, len(mark) - 3, 3):
        filling = ("x " * limit)[: limit - short]
        with knowing(mark):
            shown = way(f"a line\n{filling}{mark}" if behind else f"a line\n{mark}{filling}")
        assert not any(mark[at : at + 3] in shown for at in range(len(mark) - 2)), (short, shown[:200], shown[-200:])


def test_a_table_is_made_of_what_may_be_shown() -> None:
    note = "failed: [red]Zq9  canary-of-a-test\x1b[2K"
    row = Row(REF, State.FAILED, "feature", None, None, None, None, None, None, None, note, ())
    out = io.StringIO()
    with knowing("Zq9  canary-of-a-test"), contextlib.redirect_stdout(Redacting(out)):
        _print_table([row])
    assert f"failed: [red]{REDACTED}\\x1b[2K" in out.getvalue(), "and no markup, nor a terminal's commands"
