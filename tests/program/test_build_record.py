"""What the program tells of a build that failed: its error hooks are called as the engine would."""

import logging
import time
from pathlib import Path

import pytest

from deploytag import build_message
from deploytag.build_message import LIMIT, tell
from deploytag.redaction import REDACTED
from tests.buildx import write_down
from tests.program.environments import FULL, declare, tree
from tests.program.world import CANARY

IMAGE = "docker-build:index:Image"


@pytest.fixture(autouse=True)
def hears_everything(caplog: pytest.LogCaptureFixture) -> None:
    """Messages to the engine are logged where there is none."""
    caplog.set_level(logging.INFO)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all that is on PATH, and with buildx's configuration."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("BUILDX_CONFIG", str(tmp_path))
    return tmp_path


def builds(machine: Path, printed: str, *, begun: float) -> None:
    """Put in place what buildx knows of the application's last build."""
    write_down(machine, Path(tree("app").path).absolute(), when=begun)
    (machine / "log").write_text(printed)
    (machine / "buildx").write_text(f"#!/bin/sh\nexec /bin/cat {machine}/log\n")
    (machine / "buildx").chmod(0o755)


def messages(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    return [(it.levelno, it.getMessage()) for it in caplog.records]


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


def test_what_a_failed_build_printed_is_told(machine: Path, caplog: pytest.LogCaptureFixture) -> None:
    builds(machine, "#5 RUN make\n#5 no rule\n", begun=time.time() + 60)
    declare(failing={"shop-images-app"})
    assert messages(caplog) == [(logging.INFO, tell("shop-images-app", "#5 RUN make\n#5 no rule\n"))]


def test_what_an_earlier_run_printed_is_not(machine: Path, caplog: pytest.LogCaptureFixture) -> None:
    builds(machine, "#5 RUN make\n#5 no rule\n", begun=time.time() - 60)
    declare(failing={"shop-images-app"})
    assert messages(caplog) == [
        (
            logging.WARNING,
            "The last lines that shop-images-app printed may be missing: buildx has written down no build of it.",
        )
    ]


@pytest.mark.parametrize("after", range(0, 40, 3))
def test_values_are_taken_out_of_it_whole(machine: Path, caplog: pytest.LogCaptureFixture, after: int) -> None:
    key = f"{CANARY}-a-key-of-some-length"
    builds(machine, key * (2 * LIMIT // len(key)) + "\n" + "x" * after, begun=time.time() + 60)
    cls = FULL.model_copy(update={"build_secrets": {"key": "builds/key"}})
    secrets = {"builds/key": {"secretString": key, "versionId": "version-1"}}
    declare(cls=cls, secrets=secrets, failing={"shop-images-app"})
    ((_, said),) = messages(caplog)
    first, *others = said.removeprefix(tell("shop-images-app", "")).removesuffix("\n" + "x" * after).split(REDACTED)
    assert set(others) == {""}
    assert REDACTED.endswith(first)


def test_whatever_keeps_it_from_being_told_is_only_warned_of(
    machine: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    builds(machine, "", begun=time.time() + 60)
    monkeypatch.setattr(build_message, "tell", lambda *_: 1 / 0)
    declare(failing={"shop-images-app"})
    assert messages(caplog) == [
        (logging.WARNING, "The last lines that shop-images-app printed may be missing: division by zero")
    ]
