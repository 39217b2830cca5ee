"""What commands print with `--json`: one document of its published form, also when they fail."""

import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from deploytag.cli import app
from deploytag.cli.forms.schema import PRINTED
from deploytag.cli.scripts import SchemaOf
from deploytag.delivery.report import failure
from deploytag.errors import LeftoverError, UnreachableError
from tests.schemas import fits, path_of
from tests.unit.checkout import Checkout

Run = Callable[..., tuple[int, Any, str]]

ARGUMENTS = {"keep": ("feature/test", "--for", "1d"), "name": ("feature/test",)}


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, Any, str]]:
    """A command with `--json` in an empty folder: exit code, document, what a person is told."""
    for name in ("DEPLOYTAG_BRANCH", "DEPLOYTAG_POLICY", "DEPLOYTAG_REMOTE", "GITHUB_ACTIONS", "GITLAB_CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, Any, str]:
        with pytest.raises(SystemExit) as ended:
            app([*arguments, "--json"])
        said = capsys.readouterr()
        document = json.loads(said.out)
        fits(arguments[0], document)
        return int(ended.value.code or 0), document, said.err

    return run


def with_json() -> set[str]:
    callbacks = [it.callback for it in app.registered_commands if it.callback]
    return {it.__name__ for it in callbacks if "as_json" in inspect.signature(it).parameters}


def test_every_output_has_a_schema_and_every_schema_an_output() -> None:
    assert with_json() == set(PRINTED)
    assert {*PRINTED, "settings", "policy"} == {it.value for it in SchemaOf}
    assert {path.name for path in path_of("ls").parent.iterdir()} == {path_of(it).name for it in PRINTED}


@pytest.mark.parametrize("command", PRINTED)
def test_the_schemas_in_the_repository_are_current(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit):
        app(["schema", command])
    printed = capsys.readouterr().out
    assert path_of(command).read_text() == printed, f"run `deploytag schema {command} > {path_of(command)}`"
    jsonschema.Draft202012Validator.check_schema(json.loads(printed))


@pytest.mark.parametrize("command", sorted(with_json()))
def test_a_command_that_fails_says_so_in_its_form(run: Run, command: str) -> None:
    code, document, told = run(command, *ARGUMENTS.get(command, ()))
    assert code in {2, 4}, "there is no project, and no checkout either"
    assert (document["outcome"], document["exit_code"]) == ("failed", code)
    assert document["kind"] == {2: "UsageError", 4: "RefError"}[code]
    assert document["reason"] in told


@pytest.mark.parametrize("command", ["deploy", "destroy", "sleep", "wake", "sync"])
def test_a_run_that_fails_says_which_it_was(
    run: Run, checkout: Checkout, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    checkout.track({"Pulumi.yaml": "name: shop\nruntime: python\n"})
    checkout.commit()
    monkeypatch.chdir(checkout.path)
    ended, document, _ = run(command, "feature/test")
    assert (ended, document["exit_code"], document["kind"]) == (3, 3, "SettingsError"), "there is no policy"
    names = {name: document[name] for name in ("action", "ref", "stack")}
    assert names == {"action": command, "ref": "feature/test", "stack": "feature-test"}


def test_a_defect_is_told_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise TypeError("a defect")

    monkeypatch.setattr("deploytag.cli.scripts.identify", broken)
    code, document, told = run("name", "feature/test", "--project", "shop")
    assert (code, document["exit_code"], document["kind"]) == (1, 1, "DeployTagError")
    assert document["reason"] == "TypeError: a defect"
    assert "Traceback" in told


def test_what_is_left_is_a_list() -> None:
    report = failure(LeftoverError("It is not gone.", ["namespace a: held", "role b: in use"]))
    assert report.left == ("namespace a: held", "role b: in use")
    assert failure(UnreachableError("silent")).left == ()


def test_names_are_a_document(run: Run) -> None:
    assert run("name", "feature/test", "--project", "shop")[1]["stack"] == "feature-test"


@pytest.mark.parametrize(
    ("settings", "code", "said"),
    [
        ('{tests: {command: [sh, -c, "echo ran"]}}', 0, ("tests", "passed")),
        ("{}", 0, ("tests", "none")),
        ("{tests: {command: ['false']}}", 10, ("kind", "FailedTestsError")),
    ],
)
def test_tests_print_aside(run: Run, tmp_path: Path, settings: str, code: int, said: tuple[str, str]) -> None:
    (tmp_path / "deploytag.yaml").write_text(settings)
    ended, document, told = run("test")
    assert (ended, document[said[0]]) == (code, said[1])
    assert ("ran\n" in told) is ("echo" in settings)


@pytest.mark.parametrize("form", ["environments", "explanations", "plans", "removals", "setup"])
def test_a_command_loads_its_own_form_and_not_what_others_ask(form: str) -> None:
    """A second and more of the start of `ls` was what `doctor` and `gc` need."""
    others = {"boto3", "deploytag.delivery.doctor", "deploytag.delivery.removal.gc_run"}
    program = f"import sys, deploytag.cli.forms.{form}; print(sorted({others!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
