"""What the program tells of a build that failed: its error hooks are called as the engine would."""

import json
import logging
from pathlib import Path

import pytest

from deploytag.build_message import LIMIT, tell, understand
from deploytag.redaction import REDACTED
from tests.program.environments import FULL, declare, tree
from tests.program.world import CANARY, KEY_ID

IMAGE = "docker-build:index:Image"


@pytest.fixture(autouse=True)
def hears_everything(caplog: pytest.LogCaptureFixture) -> None:
    """Messages to the engine are logged where there is none."""
    caplog.set_level(logging.INFO)


def buildx(folder: Path, monkeypatch: pytest.MonkeyPatch, *, printed: str, status: str = "Error") -> None:
    """Put a builder's record of the application's last build in place."""
    name = f".deploytag/contexts/{tree('app').path.name}"
    record = {"ref": "deploytag/deploytag0/it", "name": name, "status": status, "created_at": "2026-11-29T17:57:39Z"}
    (folder / "records").write_text(json.dumps(record) + "\n")
    (folder / "log").write_text(printed)
    path = folder / "buildx"
    path.write_text(f'#!/bin/sh\ncase "$*" in *" ls "*) cat {folder}/records;; *) cat {folder}/log;; esac\n')
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_every_image_has_its_own_hook_and_nothing_else_has_one() -> None:
    world = declare()
    hooks = {
        it.request.name: list(it.request.hooks.on_error) for it in world.registrations if it.request.hooks.on_error
    }
    assert hooks == {name: [f"{name}-printed"] for name in ("shop-images-app", "shop-images-base")}
    for image in world.all(IMAGE):
        # Hooks of a deletion would need the program, and a branch is deleted without.
        assert not image.request.hooks.before_delete
        assert not image.request.hooks.after_delete


def test_what_a_failed_build_printed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    buildx(tmp_path, monkeypatch, printed="#5 RUN make\n#5 no rule\n")
    declare(failing={"shop-images-app"})
    assert [understand(it.getMessage()) for it in caplog.records] == [("shop-images-app", "#5 RUN make\n#5 no rule\n")]


def test_secrets_are_taken_out_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    key = f"{CANARY}-key"
    buildx(tmp_path, monkeypatch, printed=f"#5 the key is {key}\n")
    declare(cls=FULL.model_copy(update={"build_secrets": {"key": KEY_ID}}), failing={"shop-images-app"})
    (said,) = [it.getMessage() for it in caplog.records]
    assert said == tell("shop-images-app", f"#5 the key is {REDACTED}\n")


@pytest.mark.parametrize("before", range(0, 40, 3))
def test_no_value_is_cut_in_two_where_much_was_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, before: int
) -> None:
    key = f"{CANARY}-key"
    buildx(tmp_path, monkeypatch, printed="x" * before + key * (5 * LIMIT // len(key)))
    declare(cls=FULL.model_copy(update={"build_secrets": {"key": KEY_ID}}), failing={"shop-images-app"})
    (said,) = [it.getMessage() for it in caplog.records]
    first, *others = said.removeprefix(tell("shop-images-app", "")).split(REDACTED)
    assert set(others) == {""}
    assert REDACTED.endswith(first)


@pytest.mark.parametrize("status", ["Completed", "Running"])
def test_nothing_is_told_of_a_build_that_did_not_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, status: str
) -> None:
    buildx(tmp_path, monkeypatch, printed="#5 DONE\n", status=status)
    declare(failing={"shop-images-app"})
    assert caplog.records == []


def test_a_failed_build_of_which_nobody_can_be_asked_stays_the_error_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    declare(failing={"shop-images-app"})
    (said,) = caplog.records
    assert said.levelno == logging.WARNING
    assert said.getMessage() == (
        "The last lines that shop-images-app printed may be missing: there is no `docker buildx` and no `buildx` on "
        "PATH to ask the builder with."
    )
