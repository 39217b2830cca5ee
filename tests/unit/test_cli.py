"""The `deploytag` command, run as a script would."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploytag.cli import app
from deploytag.cli.checkout import Checkout as Opened
from deploytag.delivery import idle
from deploytag.identity import identify
from tests.unit.checkout import Checkout


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        app(arguments)
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


def test_name_prints_lines_a_shell_can_read(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "name", "feature/a'$(id)b", "--project", "shop")
    assert code == 0
    read = subprocess.run(
        ["sh", "-c", f'{out}\nprintf "%s\\n" "$ref" "$database"'], capture_output=True, text=True, check=True
    )
    names = identify("shop", "feature/a'$(id)b")
    assert read.stdout.splitlines() == [names.ref, names.database]


def test_name_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "name", "feature/test", "--project", "shop", "--json")
    assert code == 0
    assert json.loads(out) == {
        "project": "shop",
        "ref": "feature/test",
        "stack": "feature-test",
        "namespace": "shop-feature-test",
        "release": "shop-feature-test",
        "database": "shop_feature_test",
        "role": "shop_feature_test",
        "host": "shop-feature-test",
    }


def test_the_project_is_the_nearest_pulumi_yamls(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (tmp_path / "a/b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a/b")
    assert "namespace=shop-main\n" in run(capsys, "name", "main")[1]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "There is no Pulumi.yaml in"),
        ("runtime: python\n", "has no `name:`"),
        ("- a\n", "has no `name:`"),
        ("a: [", "cannot be read as YAML"),
    ],
)
def test_no_project_is_a_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, sentence: str
) -> None:
    if text is not None:
        (tmp_path / "Pulumi.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "name", "main")
    assert (code, out) == (2, "")
    assert err.startswith("deploytag: ")
    assert sentence in err


def test_an_impossible_ref_is_one_sentence_and_an_exit_code() -> None:
    """Through the installed command: no traceback."""
    command = Path(sys.executable).with_name("deploytag")
    done = subprocess.run([command, "name", "a b", "--project", "shop"], capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert done.stdout == ""
    assert done.stderr == "deploytag: 'a b' is no name of a git branch or tag: it contains ' '.\n"


@pytest.mark.parametrize(("of", "known"), [("settings", "images"), ("policy", "classes")])
def test_the_schema_of_each_file_is_printed(capsys: pytest.CaptureFixture[str], of: str, known: str) -> None:
    code, out, _ = run(capsys, "schema", of)
    assert code == 0
    assert known in json.loads(out)["properties"]


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--version")
    assert code == 0
    assert out.count(".") == 2


def test_an_unknown_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "name", "--nonsense")[0] == 2


@pytest.mark.parametrize("typed", ["feature/test", "refs/heads/feature/test"])
def test_keep_says_the_branch_it_keeps(
    capsys: pytest.CaptureFixture[str], checkout: Checkout, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    checkout.write("Pulumi.yaml", "name: shop\nruntime: python\n")
    monkeypatch.chdir(checkout.path)
    kept: list[str] = []

    def keep(world: None, ref: str, duration: timedelta) -> datetime:
        kept.append(ref)
        return datetime(2026, 3, 1, 12, tzinfo=UTC)

    monkeypatch.setattr(Opened, "open", lambda self, progress: None)
    monkeypatch.setattr(idle, "keep", keep)
    told = run(capsys, "keep", typed, "--for", "7d")[1]
    assert told == "feature/test is kept until 2026-03-01 12:00 UTC\n"
    assert json.loads(run(capsys, "keep", typed, "--for", "7d", "--json")[1])["ref"] == "feature/test"
    assert kept == ["feature/test"] * 2
