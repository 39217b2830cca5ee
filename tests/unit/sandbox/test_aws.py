import json

import pytest

from sandbox.aws import SEED, Present, Seed, decide, seeds

OLD = Seed("staging/app", "", "old")
NEW = Seed("staging/app", "", "new")


def test_the_seed_file_holds_what_the_program_s_settings_name() -> None:
    by_name = {seed.name: seed for seed in seeds(SEED.read_text())}
    assert set(by_name) == {"staging/app", "staging/database-key"}
    assert set(json.loads(by_name["staging/app"].value)) == {"API_TOKEN", "MAIL_PASSWORD", "SESSION_KEY"}
    assert not by_name["staging/database-key"].value.startswith(("{", '"'))


def test_the_version_is_the_content_s() -> None:
    assert OLD.version == Seed("staging/app", "said otherwise", "old").version
    assert len({OLD.version, NEW.version, Seed("staging/other", "", "old").version}) == 3


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        pytest.param({}, ([NEW], []), id="missing: created"),
        pytest.param({"staging/app": Present(NEW.version, NEW.version)}, ([], []), id="as wanted: left"),
        pytest.param({"staging/app": Present(OLD.version, OLD.version)}, ([], [NEW]), id="an earlier seed: updated"),
        pytest.param({"staging/app": Present("user's", OLD.version)}, ([], []), id="changed by the user: left"),
        pytest.param({"staging/app": Present("user's", "")}, ([], []), id="made by the user: left"),
        pytest.param({"staging/app": Present("", OLD.version)}, ([], []), id="deleted by the user: left"),
    ],
)
def test_seeding_never_overwrites_a_user(present: dict[str, Present], expected: tuple[list[Seed], list[Seed]]) -> None:
    assert decide([NEW], present) == expected
