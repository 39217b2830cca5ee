"""Which plugins are taken when nobody chooses, and how often that is found out."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbox.plugins.install import NAMES
from tests.unit.plugins.installing import FETCHES, OFFLINE, Install, executable, sources


def test_without_a_choice_the_official_ones_are_tried_once(
    run: Install, toolchain_bin: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sources(run(None)) == OFFLINE
    assert sources(run(None)) == OFFLINE

    assert (toolchain_bin / "asked").read_text() == "kubernetes\n"
    said = capsys.readouterr()
    assert said.out.count("cannot be fetched here (`pulumi plugin install` failed: error: no network)") == 1
    assert said.err.count("Trying to fetch the official plugins ...") == 1


def test_a_network_that_was_away_is_tried_again_after_a_day(run: Install, home: Path, toolchain_bin: Path) -> None:
    assert sources(run(None)) == OFFLINE
    executable(toolchain_bin / "pulumi", FETCHES)
    assert sources(run(None)) == OFFLINE
    record = json.loads((home / "deploytag-plugins.json").read_text())
    assert "no network" in record["automatic"]["problem"]
    record["automatic"]["asked"] = (datetime.now(UTC) - timedelta(days=1, minutes=1)).isoformat()
    (home / "deploytag-plugins.json").write_text(json.dumps(record))

    assert set(sources(run(None)).values()) == {"official"}


def test_auto_tries_at_once(run: Install, toolchain_bin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sources(run(None)) == OFFLINE
    executable(toolchain_bin / "pulumi", FETCHES)
    monkeypatch.setenv("DEPLOYTAG_PLUGINS", "auto")
    assert sources(run(None)) == OFFLINE

    assert set(sources(run("auto")).values()) == {"official"}
    assert set(sources(run("auto")).values()) == {"official"}

    # Each was fetched once, the one that was tried first too.
    assert sorted((toolchain_bin / "asked").read_text().split()) == sorted([*NAMES, "kubernetes"])


def test_plugins_in_use_stay_while_others_are_tried(run: Install, toolchain_bin: Path, tmp_path: Path) -> None:
    launcher = run("offline")[0].path / "pulumi-resource-kubernetes"
    executable(toolchain_bin / "pulumi", f"#!/bin/sh\ntest -x {launcher} && touch {tmp_path}/still-there\nexit 1\n")

    assert sources(run("auto")) == OFFLINE
    assert (tmp_path / "still-there").exists()


def test_without_a_choice_the_official_ones_are_taken_where_they_can_be_had(run: Install, toolchain_bin: Path) -> None:
    executable(toolchain_bin / "pulumi", FETCHES)

    assert set(sources(run(None)).values()) == {"official"}


def test_a_remembered_answer_is_for_one_version(run: Install, home: Path, toolchain_bin: Path) -> None:
    run(None)
    record = json.loads((home / "deploytag-plugins.json").read_text())
    record["automatic"]["version"] = "1.0.0"
    (home / "deploytag-plugins.json").write_text(json.dumps(record))
    executable(toolchain_bin / "pulumi", FETCHES)

    assert set(sources(run(None)).values()) == {"official"}
