"""The worker's loop, one job at a time, and the commands' last words."""

import threading

import pytest
from fakeredis import FakeRedis, FakeServer
from sqlalchemy.exc import OperationalError

from app import command, jobs, worker
from app.settings import Settings
from app.store import Notes, connect


@pytest.fixture
def stop():
    return threading.Event()


def test_a_job_becomes_a_note(notes, redis, stop):
    jobs.put(redis, "from a job")
    worker.work_once(notes, redis, stop, seconds=0.1)
    assert [(note["text"], note["source"]) for note in notes.latest()] == [("from a job", "worker")]
    assert jobs.take(redis, seconds=0.1) is None


def test_jobs_are_done_in_order(notes, redis, stop):
    for text in ("first", "second"):
        jobs.put(redis, text)
    for _ in range(2):
        worker.work_once(notes, redis, stop, seconds=0.1)
    assert [note["text"] for note in notes.latest()] == ["second", "first"]


def test_without_a_job_nothing_is_written(notes, redis, stop):
    worker.work_once(notes, redis, stop, seconds=0.1)
    assert notes.latest() == []


def test_a_job_the_database_refuses_goes_back_to_the_front(url, redis, stop):
    for text in ("first", "second"):
        jobs.put(redis, text)
    worker.work_once(Notes(connect(url)), redis, stop, seconds=0.01)
    assert jobs.take(redis, seconds=0.1) == "first"


def test_a_redis_that_is_away_is_survived(notes, stop):
    server = FakeServer()
    server.connected = False
    worker.work_once(notes, FakeRedis(server=server), stop, seconds=0.01)
    assert notes.latest() == []


def test_a_redis_that_comes_up_later_is_waited_for(notes):
    server = FakeServer()
    server.connected = False

    class Pause(threading.Event):
        """Instead of waiting, let Redis come up."""

        def wait(self, timeout: float | None = None) -> bool:
            server.connected = True
            return False

    assert worker.wait_for_services(notes, FakeRedis(server=server), Pause())


def test_waiting_ends_when_told_to_stop(notes, redis, stop):
    stop.set()
    assert not worker.wait_for_services(notes, redis, stop)


def test_a_command_without_its_variable_ends_in_a_sentence():
    def work(_: Settings) -> None:
        Settings().need_database()

    with pytest.raises(SystemExit, match=r"app migrate: DATABASE_URL is not set"):
        command.run("migrate", work)


def test_a_command_says_what_the_database_said_and_nothing_of_the_statement():
    def work(_: Settings) -> None:
        raise OperationalError("INSERT canary", {}, Exception('relation "orders" already exists'))

    with pytest.raises(SystemExit) as exit_:
        command.run("migrate", work)
    assert exit_.value.code == 'app migrate: the database refused: relation "orders" already exists'
