"""The worker, `python -m app.worker`: takes jobs from Redis and writes them to the database until told to stop."""

import logging
import signal
import tempfile
import threading
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app import command, jobs, store
from app.settings import Settings

log = logging.getLogger("worker")

# The chart's startup probe looks for this file; it appears when both services have answered once.
READY = Path(tempfile.gettempdir()) / "worker-ready"


def main(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; the job at hand is finished first."""
    notes = store.Notes(store.connect(settings.need_database()))
    redis = jobs.connect(settings.need_redis())
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    READY.unlink(missing_ok=True)  # a restarted container finds the file of the one before
    if wait_for_services(notes, redis, stop):
        READY.touch()
        log.info("waiting for jobs")
    while not stop.is_set():
        work_once(notes, redis, stop)
    log.info("stopped")


def wait_for_services(notes: store.Notes, redis: Redis, stop: threading.Event) -> bool:
    """True when both have answered (on a first deployment Redis starts together with this), False when told to stop."""
    while not stop.is_set():
        try:
            notes.check()
            redis.ping()
        except SQLAlchemyError as error:
            log.warning("the database is not ready yet: %s", store.reason(error))
        except RedisError as error:
            log.warning("Redis is not ready yet: %s", error)
        else:
            return True
        stop.wait(1)
    return False


def work_once(notes: store.Notes, redis: Redis, stop: threading.Event, seconds: float = 1) -> None:
    """Do the next job if one comes in time. A job that cannot be written now goes back to the queue."""
    try:
        text = jobs.take(redis, seconds)
        if text is None:
            return
        try:
            number = notes.add(text, source="worker")
        except SQLAlchemyError as error:
            jobs.put_back(redis, text)
            log.warning("the database refused a job, trying again: %s", store.reason(error))
            stop.wait(seconds)
        else:
            log.info("wrote note %s", number)
    except RedisError as error:
        log.warning("Redis did not answer, trying again: %s", error)
        stop.wait(seconds)


if __name__ == "__main__":
    command.run("worker", main)
