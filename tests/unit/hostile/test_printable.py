"""What others wrote, as terminals and CIs are given it."""

import io
import re

import pytest
from hypothesis import given

from deploytag.delivery.pipeline.summary import dotenv, github_output, headline, markdown
from deploytag.delivery.progress import Progress
from deploytag.delivery.report import Report, Result
from deploytag.delivery.run import Action
from deploytag.printable import one_line, printable
from tests.unit.hostile.strategies import texts

UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain, é, 漢字, \t tabs\nand lines", "plain, é, 漢字, \t tabs\nand lines"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("gone\x1b[2K\rnew", r"gone\x1b[2K\x0dnew"),
        ("windows\r\nlines", "windows\nlines"),
        ("a\u202egnp.exe", r"a\u202egnp.exe"),
        ("\ud800", r"\ud800"),
        ("::set-output name=url::x", r"\::set-output name=url::x"),
        ("a\n  \t::add-mask::e", "a\n  \t\\::add-mask::e"),
        ("urn:pulumi:x::shop::a", "urn:pulumi:x::shop::a"),
        ("a ##[group]b", r"a #\#[group]b"),
    ],
)
def test_a_table(text: str, expected: str) -> None:
    assert printable(text) == expected


def commands(log: str) -> list[str]:
    """Lines that GitHub's runner obeys: `ActionCommand.TryParseV2` trims a line, `TryParse` looks anywhere in it."""
    return [line for line in re.split(r"\r\n|[\r\n]", log) if line.strip().startswith("::") or "##[" in line]


@given(texts)
def test_nothing_is_obeyed(text: str) -> None:
    shown = printable(text)
    assert not UNPRINTABLE.search(shown)
    assert not commands(shown)
    shown.encode()
    assert printable(shown) == shown
    assert len(one_line(text).splitlines()) <= 1


@given(texts)
def test_progress_is_lines_of_text(text: str) -> None:
    stream = io.StringIO()
    progress = Progress(stream, clock=lambda: 0.0, verbose=True)
    for say in (progress.say, progress.detail, progress.warn, progress.fail, progress.done):
        say(text)
    written = stream.getvalue()
    assert not UNPRINTABLE.search(written)
    assert not commands(written)
    assert written.count(printable(text).rstrip("\n")) >= 5 or "\t" in text, "as it is: no markup, no emoji"


def test_progress_knows_no_markup() -> None:
    stream = io.StringIO()
    Progress(stream, clock=lambda: 0.0).warn(":warning: [bold]x[/] [link=http://evil]y\\")
    assert stream.getvalue() == "   0.0 s  :warning: [bold]x[/] [link=http://evil]y\\\n"


@given(texts, texts, texts)
def test_a_report_is_only_a_report(ref: str, url: str, reason: str) -> None:
    report = Report(
        action=Action.DEPLOY,
        ref=ref,
        stack=ref,
        outcome=Result.FAILED,
        url=url,
        reason=reason,
        removed=(reason,) * 2,
        warnings=(url, reason) * 60,
    )
    assert len(headline(report).splitlines()) == 1
    assert len(github_output(report).splitlines()) == 3
    assert [line.partition("=")[0] for line in github_output(report).splitlines()] == ["url", "ref", "result"]
    assert {line.partition("=")[0] for line in dotenv(report).splitlines()} <= {
        "DEPLOYTAG_URL",
        "DEPLOYTAG_REF",
        "DEPLOYTAG_RESULT",
    }
    text = markdown(report)
    assert not UNPRINTABLE.search(text + headline(report) + github_output(report))
    assert len(text.encode()) < 1 << 20, "GitHub takes no more"


@pytest.mark.parametrize("character", ["\N{GRINNING FACE}", "\u202e", "`"])
def test_a_long_summary_ends_at_a_whole_line(character: str) -> None:
    """A character may be four bytes, and be shown by as many characters."""
    lines = (character * 5000,) * 200
    report = Report(
        action=Action.DEPLOY,
        ref="x",
        stack="x",
        outcome=Result.FAILED,
        reason=character * 100_000,
        repaired=lines,
        removed=lines,
        left=lines,
        warnings=lines,
    )
    text = markdown(report)
    assert len(text.encode()) < 1 << 20
    assert text.splitlines()[-1].startswith("- …")
    assert all(line.endswith("`") for line in text.splitlines() if line.startswith("- `"))
