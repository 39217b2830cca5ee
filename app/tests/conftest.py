"""A database with its migrations applied (SQLite) and a Redis (fakeredis): no server and no credentials needed."""

import pytest
from fakeredis import FakeRedis

from app import migrate
from app.settings import Settings
from app.store import Notes, connect
from app.web import Services, create_app


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/notes.db"


@pytest.fixture
def notes(url):
    migrate.upgrade(url)
    return Notes(connect(url))


@pytest.fixture
def redis():
    return FakeRedis(decode_responses=True)


@pytest.fixture
def settings():
    return Settings(ref="feature/test", revision="0123abc", secret="env-1", variables=("API_TOKEN",))


@pytest.fixture
def client(settings, notes, redis):
    return create_app(settings, Services(notes, redis)).test_client()
