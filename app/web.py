"""The HTTP service."""

from dataclasses import dataclass
from typing import Any

from flask import Flask, jsonify, request
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app import jobs, store
from app.settings import Settings

Answer = tuple[Any, int]


@dataclass(frozen=True)
class Services:
    """What the application talks to; None where the environment has none."""

    notes: store.Notes | None = None
    redis: Redis | None = None

    @classmethod
    def of(cls, settings: Settings) -> "Services":
        """Make the clients; none of them connects yet, so the service starts while its services still do."""
        return cls(
            notes=store.Notes(store.connect(settings.database_url)) if settings.database_url else None,
            redis=jobs.connect(settings.redis_url) if settings.redis_url else None,
        )

    def failing(self) -> list[str]:
        """Name the services that do not answer."""
        failing = []
        if self.notes is not None:
            try:
                self.notes.check()
            except SQLAlchemyError:
                failing.append("database")
        if self.redis is not None:
            try:
                self.redis.ping()
            except RedisError:
                failing.append("redis")
        return failing

    def migration(self) -> str | None:
        """The migration the database is at; None without one, or when it does not answer."""
        try:
            return self.notes.migration() if self.notes else None
        except SQLAlchemyError:
            return None

    def count_visit(self) -> int | None:
        """Count this visit; None without Redis, or when it does not answer."""
        try:
            return int(self.redis.incr("visits")) if self.redis else None
        except RedisError:
            return None


def create_app(settings: Settings | None = None, services: Services | None = None) -> Flask:
    """Make the application; tests hand in services of their own."""
    settings = settings or Settings.from_environment()
    services = services or Services.of(settings)
    app = Flask(__name__, static_folder=None)
    app.json.sort_keys = False

    @app.get("/")
    def about() -> Answer:
        """What runs here. Names of variables only: their values are secrets."""
        return {
            "ref": settings.ref,
            "revision": settings.revision,
            "migration": services.migration(),
            "secret": settings.secret,
            "variables": settings.variables,
            "visits": services.count_visit(),
        }, 200

    @app.get("/livez")
    def livez() -> Answer:
        """The process answers; a database that is down is no reason to restart it."""
        return {"status": "ok"}, 200

    @app.get("/healthz")
    def healthz() -> Answer:
        """Everything needed to serve answers."""
        failing = services.failing()
        return ({"status": "failing", "failing": failing}, 503) if failing else ({"status": "ok"}, 200)

    @app.get("/notes")
    def list_notes() -> Answer:
        if services.notes is None:
            return without("database", "it keeps no notes")
        return jsonify(services.notes.latest()), 200

    @app.post("/notes")
    def add_note() -> Answer:
        if services.notes is None:
            return without("database", "it keeps no notes")
        text = text_of_request()
        if text is None:
            return NO_TEXT
        return {"id": services.notes.add(text, source="web")}, 201

    @app.post("/jobs")
    def add_job() -> Answer:
        if services.notes is None or services.redis is None:
            return without("database or no Redis", "nobody would do the job")
        text = text_of_request()
        if text is None:
            return NO_TEXT
        return {"waiting": jobs.put(services.redis, text)}, 202

    # The message of an error may name hosts and statements: it goes to the log, only its kind goes out.
    @app.errorhandler(SQLAlchemyError)
    def database_error(error: SQLAlchemyError) -> Answer:
        app.logger.error("the database refused: %s", store.reason(error))
        return {"error": f"The database could not answer ({type(error).__name__}). Have its migrations run?"}, 503

    @app.errorhandler(RedisError)
    def redis_error(error: RedisError) -> Answer:
        app.logger.error("Redis did not answer: %s", error)
        return {"error": f"Redis could not answer ({type(error).__name__})."}, 503

    return app


NO_TEXT: Answer = ({"error": 'Send JSON like {"text": "a note"}.'}, 400)


def without(what: str, so: str) -> Answer:
    """Answer for a thing that this kind of environment does not have."""
    return {"error": f"This environment has no {what}, so {so}."}, 404


def text_of_request() -> str | None:
    """The text of a JSON body; None when there is none, or none that Postgres can store."""
    body = request.get_json(silent=True)
    text = body.get("text") if isinstance(body, dict) else None
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        return None
    return text if text == text.encode(errors="ignore").decode() else None
