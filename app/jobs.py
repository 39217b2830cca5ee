"""The queue between web and worker: a Redis list of texts, first in, first out."""

from redis import Redis

QUEUE = "jobs"


def connect(url: str) -> Redis:
    """Make a client that gives up within seconds. The read timeout must stay above the worker's blocking wait."""
    return Redis.from_url(url, decode_responses=True, socket_connect_timeout=3, socket_timeout=5)


def put(redis: Redis, text: str) -> int:
    """Queue one job and return how many wait now."""
    return int(redis.rpush(QUEUE, text))


def take(redis: Redis, seconds: float) -> str | None:
    """Wait that long for a job; None when none came."""
    taken = redis.blpop([QUEUE], timeout=seconds)
    return taken[1] if taken else None


def put_back(redis: Redis, text: str) -> None:
    """Return a job that could not be done to the front, where it came from."""
    redis.lpush(QUEUE, text)
