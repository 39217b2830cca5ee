"""What is written down for readers and editors is what the code says."""

import json
import re
from enum import StrEnum
from pathlib import Path

import jsonschema
import pytest
import yaml

from deploytag.cli import app
from deploytag.cli.app import Panel
from deploytag.delivery.diagnosis import explain
from deploytag.delivery.diagnosis.cause import CauseKind
from tests.unit.test_errors import kinds

REPOSITORY = Path(__file__).parents[2]
FILES = {"settings": "deploytag.yaml", "policy": "deploytag.policy.yaml"}


def schema_path(of: str) -> Path:
    return Path("schemas") / f"{FILES[of].removesuffix('.yaml')}.schema.json"


@pytest.mark.parametrize("of", FILES)
def test_the_schemas_in_the_repository_are_current(capsys: pytest.CaptureFixture[str], of: str) -> None:
    with pytest.raises(SystemExit):
        app(["schema", of])
    path = schema_path(of)
    assert (REPOSITORY / path).read_text() == capsys.readouterr().out, f"run `deploytag schema {of} > {path}`"


@pytest.mark.parametrize("of", FILES)
def test_editors_find_the_schema_and_the_file_fits_it(of: str) -> None:
    text = (REPOSITORY / FILES[of]).read_text()
    assert text.startswith(f"# yaml-language-server: $schema={schema_path(of)}\n")
    jsonschema.validate(yaml.safe_load(text), json.loads((REPOSITORY / schema_path(of)).read_text()))


def test_every_exit_code_is_documented() -> None:
    table = re.findall(r"^\| (\d+) \| `(\w+)` \|", (REPOSITORY / "docs/reference/exit-codes.md").read_text(), re.M)
    assert {name: int(code) for code, name in table} == kinds()


def test_every_command_is_documented() -> None:
    page = (REPOSITORY / "docs/reference/commands.md").read_text()
    rows = re.findall(r"^\| (`.+`) \|", page, re.M)
    documented = {name for row in rows for name in re.findall(r"`([a-z]+)", row)}
    commands = {it.name or str(it.callback and it.callback.__name__) for it in app.registered_commands}
    assert commands <= documented, "documented nowhere"


def test_every_variable_is_documented() -> None:
    pages = "".join(path.read_text() for path in (REPOSITORY / "docs/reference").glob("*.md"))
    code = "".join(path.read_text() for path in (REPOSITORY / "deploytag").rglob("*.py"))
    named = set(re.findall(r"\bDEPLOYTAG_[A-Z_]*[A-Z]", code))
    assert named <= set(re.findall(r"`(DEPLOYTAG_[A-Z_]+)`", pages))


@pytest.mark.parametrize(("heading", "words"), [("state", explain.State), ("cause", CauseKind)])
def test_every_word_of_why_is_documented(heading: str, words: type[StrEnum]) -> None:
    page = (REPOSITORY / "docs/reference/commands.md").read_text().partition("## What `why --json` says")[2]
    (table,) = re.findall(rf"^\| {heading} \|.*\n(?:\|.*\n)+", page, re.M)
    assert sorted(re.findall(r"^\| `(.+?)` \|", table, re.M)) == sorted(words)


def test_help_lists_every_command_under_a_heading() -> None:
    assert {it.rich_help_panel for it in app.registered_commands} == set(Panel)
