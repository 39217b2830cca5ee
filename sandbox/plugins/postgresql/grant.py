"""`postgresql.Grant`: exactly these privileges of a role on a database, a schema, or objects in a schema."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from psycopg.errors import Diagnostic

from sandbox.plugins.postgresql.fields import Field, FieldResource, Values
from sandbox.plugins.postgresql.grant_target import ALLOWED, READERS, RELATIONS, ROUTINES, Target
from sandbox.plugins.postgresql.membership import member_of
from sandbox.plugins.postgresql.server import Connection, one
from sandbox.plugins.provider import (
    CreateRequest,
    DeleteRequest,
    Failure,
    InvalidInputError,
    Properties,
    ProviderError,
    ReadRequest,
    State,
    UpdateRequest,
)

# PostgreSQL only warns when the user may not grant or revoke what it was told to, and then does nothing.
_NOTHING_DONE = frozenset({"01006", "01007"})


class Grant(FieldResource):
    """All privileges are revoked and the wanted ones granted, in one transaction; none wanted means revoke only."""

    fields = {  # noqa: RUF012 (the table is constant)
        "role": Field(str, required=True, replaces=True, is_name=True),
        "database": Field(str, required=True, replaces=True, is_name=True),
        "objectType": Field(str, required=True, replaces=True, only=tuple(ALLOWED)),
        "schema": Field(str, replaces=True, is_name=True),
        "objects": Field(list, replaces=True, unordered=True),
        "privileges": Field(list, required=True, unordered=True),
        "withGrantOption": Field(bool, default=False, replaces=True),
    }

    def complaints(self, values: Values) -> Iterable[Failure]:
        """What does not go together."""
        kind = values["objectType"]
        if kind != "database" and not values["schema"]:
            yield Failure("schema", f"`schema` is required for the object type {kind}")
        if kind in ("database", "schema") and values["objects"]:
            yield Failure("objects", f"`objects` cannot be given for the object type {kind}")
        if kind in ROUTINES and any("(" in each for each in values["objects"] or []):
            yield Failure("objects", "the offline plugin does not support argument types; use the official plugin")
        for privilege in values["privileges"] or []:
            if privilege not in ALLOWED[kind]:
                allowed = ", ".join(ALLOWED[kind])
                yield Failure("privileges", f"{privilege} is no privilege of a {kind}; it has {allowed}")

    def create(self, request: CreateRequest) -> State:
        """Revoke and grant."""
        values = self.values(request.inputs)
        outputs = self._apply(values, values["privileges"] or [], "granting")
        return State(_identity(values), self.outputs(outputs, request.inputs))

    def read(self, request: ReadRequest) -> State | None:
        """Read which privileges there are; the grant is gone when role, database or schema is."""
        values = self.values(request.state)
        if not values["role"]:
            raise InvalidInputError("A Grant cannot be imported or read by its id; declare it, that changes nothing.")
        doing = f"reading {_description(values)}"
        with self.server.connect(doing=doing) as connection:
            if one(connection, "SELECT 1 FROM pg_database WHERE datname = %s", values["database"]) is None:
                return None
        with self.server.connect(values["database"], doing) as connection:
            if not _is_public(values) and not one(
                connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", values["role"]
            ):
                return None
            if values["objectType"] != "database" and _schema_owner(connection, values) is None:
                return None
            found = _outputs(values, _privileges(connection, values))
        return State(request.id, self.outputs(found, request.inputs), request.inputs)

    def update(self, request: UpdateRequest) -> Properties:
        """Revoke and grant again."""
        values = self.values(request.inputs)
        return self.outputs(self._apply(values, values["privileges"] or [], "granting"), request.inputs)

    def delete(self, request: DeleteRequest) -> None:
        """Revoke. A grant on everyone's privileges is not turned back into what PostgreSQL began with."""
        self._apply(self.values(request.state), [], "revoking")

    def _apply(self, values: Values, privileges: list[str], verb: str) -> Properties:
        target = Target.of(values)
        doing = f"{verb} {_description(values)}"
        with self.server.connect(values["database"], doing) as connection:
            with member_of(connection, *_owners(connection, values)), connection.transaction():
                # Two grants on one database change the same row; without the lock the second one fails.
                one(connection, "SELECT pg_advisory_xact_lock(hashtext(%s))", f"deploytag grant {values['database']}")
                with _no_silent_refusal(connection, doing):
                    connection.execute(target.revoke())
                    if privileges:
                        connection.execute(target.grant(privileges, values["withGrantOption"]))
            return _outputs(values, _privileges(connection, values))


@contextmanager
def _no_silent_refusal(connection: Connection, doing: str) -> Iterator[None]:
    """Make an error of the warning that nothing was granted or revoked.

    The official plugin lets it pass, and everyone keeps CONNECT on a database that looks closed.
    """
    refusals: list[str] = []

    def listen(notice: Diagnostic) -> None:
        if notice.sqlstate in _NOTHING_DONE:
            refusals.append(notice.message_primary or "")

    connection.add_notice_handler(listen)
    try:
        yield
    finally:
        connection.remove_notice_handler(listen)
    if refusals:
        raise ProviderError(
            f"Error while {doing}: {'; '.join(refusals)}. The user neither owns it nor may pass its privileges on; "
            "let the administrator own the database, or make it a member of the owning role."
        )


def _owners(connection: Connection, values: Values) -> list[str]:
    """Whom to act for. Not for a database: there the official plugin does not, and a program must work with both."""
    if values["objectType"] == "database":
        return []
    owner = _schema_owner(connection, values)
    if owner is None:
        raise ProviderError(f'There is no schema "{values["schema"]}" in the database "{values["database"]}".')
    row = one(
        connection,
        "SELECT array_agg(DISTINCT tableowner::text) FROM pg_tables WHERE schemaname = %s",
        values["schema"],
    )
    tables: list[str] = (row and row[0]) or []
    return [owner, *(tables if values["objectType"] != "schema" else [])]


def _schema_owner(connection: Connection, values: Values) -> str | None:
    # Since PostgreSQL 15 the schema `public` belongs to pg_database_owner, a role without members of its own.
    row = one(
        connection,
        """
        SELECT CASE pg_get_userbyid(nspowner)
               WHEN 'pg_database_owner' THEN owner.name
               ELSE pg_get_userbyid(nspowner) END::text
        FROM pg_namespace,
             (SELECT pg_get_userbyid(datdba) AS name FROM pg_database WHERE datname = current_database()) owner
        WHERE nspname = %s
        """,
        values["schema"],
    )
    return row[0] if row else None


def _privileges(connection: Connection, values: Values) -> list[str]:
    """The wanted privileges if they are what there is, else what there is: of the first object that differs."""
    kind = values["objectType"]
    wanted: list[str] = values["privileges"] or []
    meant = set(ALLOWED[kind][1:]) if "ALL" in wanted else set(wanted)
    place = values["database"] if kind == "database" else values["schema"]
    kinds = list(RELATIONS.get(kind, ())) + list(ROUTINES.get(kind, ()))
    query, arguments = READERS[kind], (values["role"], place, *([kinds] if kinds else []))
    for object_name, granted in connection.execute(query.encode(), arguments):
        if (not values["objects"] or object_name in values["objects"]) and set(granted) != meant:
            return sorted(granted)
    return wanted


def _outputs(values: Values, privileges: list[str]) -> Properties:
    return {**values.inputs, "privileges": privileges, "withGrantOption": values["withGrantOption"]}


def _is_public(values: Values) -> bool:
    return bool(values["role"] == "public")


def _identity(values: Values) -> str:
    kind = values["objectType"]
    place = [] if kind == "database" else [values["schema"]]
    return "_".join([values["role"], values["database"], *place, kind, *(values["objects"] or [])])


def _description(values: Values) -> str:
    where = f'the {values["objectType"]} "{values["database"]}"'
    if values["objectType"] != "database":
        where = f'{values["objectType"]} "{values["schema"]}" in the database "{values["database"]}"'
    return f'privileges on {where} of the role "{values["role"]}"'
