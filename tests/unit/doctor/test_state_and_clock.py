"""Where state is kept, how its secrets are read, whose locks there are, and what time it is."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploytag.delivery.doctor import state
from deploytag.delivery.doctor.cluster import skew
from deploytag.delivery.doctor.findings import Level
from deploytag.delivery.project import Project, PulumiProject
from deploytag.delivery.store import Holder, Lock
from deploytag.errors import SettingsError

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("off", "level"),
    [(0, Level.OK), (4, Level.OK), (-4, Level.OK), (6, Level.WARNING), (-30, Level.WARNING), (600, Level.PROBLEM)],
)
def test_clocks_may_be_a_little_apart(off: int, level: Level) -> None:
    assert skew(NOON, NOON + timedelta(seconds=off)).level is level


def test_which_clock_is_ahead_is_said() -> None:
    assert "30 s ahead of" in skew(NOON, NOON + timedelta(seconds=30)).seen
    assert "30 s behind" in skew(NOON, NOON - timedelta(seconds=30)).seen


def levels(root: Path, url: str | None) -> list[Level]:
    environ = {"PULUMI_HOME": str(root / "home")} | ({"PULUMI_BACKEND_URL": url} if url else {})
    return [finding.level for finding in state.backend(root, environ)]


def test_a_folder_of_state_is_written_to_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    assert levels(tmp_path, f"file://{tmp_path}/state") == [Level.OK]
    assert list((tmp_path / "state").iterdir()) == []


def test_state_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    assert levels(tmp_path, f"file://{tmp_path}/missing") == [Level.PROBLEM]
    assert levels(tmp_path, None) == [Level.PROBLEM]


def test_a_service_is_not_asked(tmp_path: Path) -> None:
    assert levels(tmp_path, "https://app.pulumi.com") == [Level.WARNING]


def project(root: Path) -> Project:
    unused = SettingsError("unused")
    return Project(root, PulumiProject(name="shop", runtime="python", stackConfigDir="stacks"), unused, unused)


@pytest.mark.parametrize(
    ("environ", "level"),
    [
        ({"PULUMI_CONFIG_PASSPHRASE": "s3cret"}, Level.OK),
        ({"PULUMI_CONFIG_PASSPHRASE": ""}, Level.WARNING),
        ({"DEPLOYTAG_SECRETS_PROVIDER": "awskms://alias/state"}, Level.OK),
        ({"PULUMI_CONFIG_PASSPHRASE_FILE": __file__}, Level.OK),
        ({"PULUMI_CONFIG_PASSPHRASE_FILE": "/nonexistent"}, Level.PROBLEM),
        ({}, Level.PROBLEM),
    ],
)
def test_how_the_states_secrets_are_read(tmp_path: Path, environ: dict[str, str], level: Level) -> None:
    always = {"PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true"}
    (found,) = state.secrets_provider(project(tmp_path), {**environ, **always})
    assert found.level is level
    assert "s3cret" not in found.seen
    assert len(list(state.secrets_provider(project(tmp_path), environ))) == 2


def test_a_stacks_own_provider_is_no_new_stacks(tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.main.yaml").write_text("secretsprovider: awskms://alias/state?region=eu-west-1\n")
    found, _ = state.secrets_provider(project(tmp_path), {})
    assert (found.level, found.cure) == (Level.WARNING, "Set DEPLOYTAG_SECRETS_PROVIDER to the same.")
    assert found.seen.startswith("awskms (the stacks' own)")


def test_who_holds_a_lock_since_when_is_said() -> None:
    holder = Holder(pid=12, username="ann", hostname="laptop", timestamp=NOON)
    found = state.held("feature-test", Lock(Path("lock.json"), NOON, holder))
    assert found.level is Level.WARNING
    assert "locked by ann@laptop (process 12) since 2026-05-04 12:00:00 UTC" in found.seen
    assert "pulumi cancel --stack feature-test" in found.cure
    assert "somebody who did not say who" in state.held("a", Lock(Path("lock.json"), NOON, None)).seen


def test_locks_of_every_stack_are_listed(tmp_path: Path) -> None:
    root = tmp_path / ".pulumi"
    (root / "stacks" / "shop").mkdir(parents=True)
    (root / "stacks" / "shop" / "feature-test.json").write_text("{}")
    environ = {"PULUMI_BACKEND_URL": f"file://{tmp_path}"}
    assert [finding.level for finding in state.locks(project(tmp_path), environ)] == [Level.OK]
    lock = root / "locks" / "organization" / "shop" / "feature-test" / "17.json"
    lock.parent.mkdir(parents=True)
    lock.write_text('{"pid": 12, "username": "ann", "hostname": "laptop", "timestamp": "2026-05-04T12:00:00Z"}')
    (found,) = state.locks(project(tmp_path), environ)
    assert "feature-test is locked by ann@laptop" in found.seen


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ({"type": "string", "default": "registry.test"}, "registry.test"),
        ({"value": "registry.test"}, "registry.test"),
        ("registry.test", "registry.test"),
        ({"type": "string", "default": ""}, None),
        ({"type": "string"}, None),
        (None, None),
    ],
)
def test_the_default_of_a_projects_setting(declared: object, value: str | None) -> None:
    config = {"registry": declared} if declared is not None else {}
    assert PulumiProject(name="shop", runtime="python", config=config).default("registry") == value
