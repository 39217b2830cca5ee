"""The HTTP service, with all its services, without some, and with broken ones."""

import pytest
from fakeredis import FakeRedis, FakeServer

from app import jobs
from app.settings import Settings
from app.store import Notes, connect
from app.web import Services, create_app


@pytest.fixture
def broken(tmp_path):
    """Services that are configured and do not answer."""
    server = FakeServer()
    server.connected = False
    database = Notes(connect(f"sqlite:///{tmp_path}/no-such-directory/notes.db"))
    return create_app(Settings(), Services(database, FakeRedis(server=server))).test_client()


@pytest.fixture
def bare():
    """The class of branches that has neither a database nor Redis."""
    return create_app(Settings(), Services()).test_client()


def test_root_says_what_runs_here(client):
    assert client.get("/").json == {
        "ref": "feature/test",
        "revision": "0123abc",
        "migration": "0002",
        "secret": "env-1",
        "variables": ["API_TOKEN"],
        "visits": 1,
    }
    assert client.get("/").json["visits"] == 2


def test_health_is_good_when_all_services_answer(client, bare):
    for one in (client, bare):
        assert (one.get("/healthz").status_code, one.get("/livez").status_code) == (200, 200)


def test_health_names_what_fails_and_the_process_stays_alive(broken):
    answer = broken.get("/healthz")
    assert (answer.status_code, answer.json["failing"]) == (503, ["database", "redis"])
    assert broken.get("/livez").status_code == 200


def test_root_answers_without_its_services(broken, bare):
    for client in (broken, bare):
        answer = client.get("/")
        assert answer.status_code == 200
        assert (answer.json["migration"], answer.json["visits"]) == (None, None)


def test_a_note_is_kept(client):
    added = client.post("/notes", json={"text": "hello"})
    assert added.status_code == 201
    [note] = client.get("/notes").json
    assert (note["id"], note["text"], note["source"]) == (added.json["id"], "hello", "web")


def test_a_job_waits_in_the_queue(client, redis):
    assert client.post("/jobs", json={"text": "later"}).json == {"waiting": 1}
    assert jobs.take(redis, seconds=0.1) == "later"


@pytest.mark.parametrize("body", [{}, [], {"text": 1}, {"text": " "}, {"text": "a\0"}, {"text": "\ud800"}])
@pytest.mark.parametrize("path", ["/notes", "/jobs"])
def test_a_body_without_text_is_refused(client, path, body):
    answer = client.post(path, json=body)
    assert answer.status_code == 400
    assert "Send JSON like" in answer.json["error"]


def test_notes_and_jobs_are_absent_without_a_database(bare):
    for answer in (bare.get("/notes"), bare.post("/notes", json={}), bare.post("/jobs", json={})):
        assert answer.status_code == 404
        assert "This environment has no database" in answer.json["error"]


def test_a_database_that_fails_is_a_sentence(broken):
    answer = broken.get("/notes")
    assert answer.status_code == 503
    assert "The database could not answer (OperationalError)" in answer.json["error"]


def test_a_redis_that_fails_is_a_sentence(broken):
    answer = broken.post("/jobs", json={"text": "later"})
    assert answer.status_code == 503
    assert "Redis could not answer (ConnectionError)" in answer.json["error"]


def test_a_database_without_migrations_is_a_sentence(url):
    client = create_app(Settings(), Services(Notes(connect(url)))).test_client()
    assert client.get("/").json["migration"] is None
    assert client.get("/healthz").status_code == 200
    assert "Have its migrations run?" in client.get("/notes").json["error"]
