"""Which server the offline postgresql plugin connects to."""

import pytest

from sandbox.plugins.postgresql.provider import PostgresqlProvider
from sandbox.plugins.postgresql.settings import Settings
from sandbox.plugins.provider import InvalidInputError, Secret

ENVIRONMENT = {
    "PGHOST": "db.test",
    "PGPORT": "6432",
    "PGUSER": "admin",
    "PGPASSWORD": "hush",
    "PGDATABASE": "main",
    "PGSSLMODE": "disable",
    "PGCONNECT_TIMEOUT": "10",
    "PGSUPERUSER": "false",
}


def test_the_defaults_are_the_official_ones() -> None:
    settings = Settings.read({}, {})

    assert (settings.host, settings.port, settings.username, settings.database) == (
        "localhost",
        5432,
        "postgres",
        "postgres",
    )
    assert (settings.sslmode, settings.connect_timeout, settings.max_connections) == ("require", 180, 20)
    assert settings.superuser


def test_the_environment_is_read_as_libpq_does() -> None:
    settings = Settings.read({}, ENVIRONMENT)

    assert (settings.host, settings.port, settings.username) == ("db.test", 6432, "admin")
    assert (settings.password, settings.database) == ("hush", "main")
    assert (settings.sslmode, settings.connect_timeout, settings.superuser) == ("disable", 10, False)
    assert settings.database_username == "admin"


def test_settings_win_and_may_be_json_text_or_values() -> None:
    text = Settings.read({"port": "1", "superuser": "true", "password": Secret("own")}, ENVIRONMENT)
    values = Settings.read({"port": 1, "superuser": True, "password": "own"}, ENVIRONMENT)

    assert text == values
    assert (text.port, text.superuser, text.password) == (1, True, "own")


def test_the_password_is_not_in_the_representation() -> None:
    assert "hush" not in repr(Settings.read({}, ENVIRONMENT))


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"port": "five"}, "postgresql:port"),
        ({"superuser": "perhaps"}, "postgresql:superuser"),
        ({"sslmode": "prefer"}, "postgresql:sslmode"),
        ({"scheme": "awspostgres"}, "postgresql:scheme"),
    ],
)
def test_a_wrong_setting_is_named(config: dict[str, str], named: str) -> None:
    with pytest.raises(InvalidInputError, match=named):
        Settings.read(dict(config), {})


def test_a_setting_that_is_not_supported_is_refused() -> None:
    failures = PostgresqlProvider().check_config({"host": "db.test", "awsRdsIamAuth": "true", "version": "3.18.2"})

    assert [failure.property for failure in failures] == ["awsRdsIamAuth"]
