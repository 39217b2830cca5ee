"""What is read from the environment, and that no secret gets out of it."""

import pytest

from app.settings import NotConfiguredError, Settings

ENVIRON = {
    "PATH": "/bin",
    "KUBERNETES_SERVICE_HOST": "10.0.0.1",
    "DEPLOYTAG_REF": "feature/test",
    "DEPLOYTAG_REVISION": "0123abc",
    "DEPLOYTAG_ENV_SECRET": "env-1",
    "DATABASE_URL": "postgresql://role:canary@host/db",
    "REDIS_URL": "redis://redis:6379/0",
    "API_TOKEN": "canary",
}


def test_everything_is_read():
    settings = Settings.from_environment(ENVIRON)
    assert (settings.ref, settings.revision, settings.secret) == ("feature/test", "0123abc", "env-1")
    assert (settings.need_database(), settings.need_redis()) == (ENVIRON["DATABASE_URL"], ENVIRON["REDIS_URL"])


def test_variables_are_the_configured_names_only():
    settings = Settings.from_environment(ENVIRON)
    assert settings.variables == ("API_TOKEN", "DATABASE_URL", "REDIS_URL")
    assert "canary" not in repr(settings)


def test_what_is_missing_or_empty_is_named():
    settings = Settings.from_environment({"DATABASE_URL": ""})
    with pytest.raises(NotConfiguredError, match="DATABASE_URL is not set"):
        settings.need_database()
    with pytest.raises(NotConfiguredError, match="REDIS_URL is not set"):
        settings.need_redis()
