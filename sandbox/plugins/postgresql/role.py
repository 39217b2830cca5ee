"""`postgresql.Role`: a role, usually one that can log in with a password."""

import hashlib
from collections.abc import Iterable
from typing import Any

from sandbox.plugins.postgresql.fields import Field, FieldResource, Values
from sandbox.plugins.postgresql.membership import member_of
from sandbox.plugins.postgresql.role_settings import read_settings, search_path, set_or_reset
from sandbox.plugins.postgresql.server import Connection, literal, name, one, run, words
from sandbox.plugins.provider import (
    CreateRequest,
    DeleteRequest,
    Failure,
    NotFoundError,
    Properties,
    ProviderError,
    ReadRequest,
    Secret,
    State,
    UpdateRequest,
)

# Input -> the words of CREATE and ALTER ROLE that turn it on and off.
_FLAGS = {
    "superuser": ("SUPERUSER", "NOSUPERUSER"),
    "createDatabase": ("CREATEDB", "NOCREATEDB"),
    "createRole": ("CREATEROLE", "NOCREATEROLE"),
    "inherit": ("INHERIT", "NOINHERIT"),
    "login": ("LOGIN", "NOLOGIN"),
    "replication": ("REPLICATION", "NOREPLICATION"),
    "bypassRowLevelSecurity": ("BYPASSRLS", "NOBYPASSRLS"),
}
_HASHED = ("SCRAM-SHA-256$", "md5")


class Role(FieldResource):
    """A role. Its password is secret wherever it appears."""

    generated_name = True
    fields = {  # noqa: RUF012 (the table is constant)
        "name": Field(str, is_name=True),
        "password": Field(str),
        "encryptedPassword": Field(bool, default=True, only=(True,)),
        "login": Field(bool, default=False),
        "superuser": Field(bool, default=False),
        "createDatabase": Field(bool, default=False),
        "createRole": Field(bool, default=False),
        "inherit": Field(bool, default=True),
        "replication": Field(bool, default=False),
        "bypassRowLevelSecurity": Field(bool, default=False),
        "connectionLimit": Field(int, default=-1),
        "validUntil": Field(str, default="infinity"),
        "roles": Field(list, unordered=True),
        "searchPaths": Field(list),
        "statementTimeout": Field(int, default=0),
        "idleInTransactionSessionTimeout": Field(int, default=0),
        "assumeRole": Field(str),
        "skipDropRole": Field(bool, default=False),
        "skipReassignOwned": Field(bool, default=False),
    }

    def complaints(self, values: Values) -> Iterable[Failure]:
        """Refuse what cannot be told apart when it is read back."""
        for path in values["searchPaths"] or []:
            if ", " in path:
                yield Failure("searchPaths", f"search path {path!r} must not contain a comma and a space")

    def create(self, request: CreateRequest) -> State:
        """CREATE ROLE and what belongs to it, all or nothing."""
        values = self.values(request.inputs)
        role = values["name"]
        # Only what differs from PostgreSQL's own defaults is named: naming SUPERUSER at all needs a superuser.
        flags = [on if values[flag] else off for flag, (on, off) in _FLAGS.items() if values[flag] != _default(flag)]
        with self.server.connect(doing=f'creating the role "{role}"') as connection, connection.transaction():
            run(connection, "CREATE ROLE {role} " + " ".join(flags), role=name(role))
            _alter(
                connection, role, values, {key for key in self.fields if values[key] != _default(key)} - _FLAGS.keys()
            )
            found = self._find(connection, role, values)
        if found is None:
            raise NotFoundError(f'The role "{role}" was created but is gone again.')
        return State(role, self._outputs(found, request.inputs))

    def read(self, request: ReadRequest) -> State | None:
        """Look it up in the catalog; the password is only readable for superusers, and then only hashed."""
        values = self.values(request.state)
        role = values["name"] or request.id
        with self.server.connect(doing=f'reading the role "{role}"') as connection:
            found = self._find(connection, role, values)
        if found is None:
            return None
        outputs = self._outputs(found, request.state)
        return State(request.id, outputs, request.inputs or outputs)

    def update(self, request: UpdateRequest) -> Properties:
        """ALTER ROLE, all or nothing."""
        new, old = self.values(request.inputs), self.values(request.state)
        role, changed = new["name"], set(new.changed(old))
        with self.server.connect(doing=f'updating the role "{old["name"]}"') as connection, connection.transaction():
            if "name" in changed:
                run(connection, "ALTER ROLE {old} RENAME TO {new}", old=name(old["name"]), new=name(role))
                changed.add("password")  # an md5 hash holds the name, so PostgreSQL forgets it
            for flag in [flag for flag in _FLAGS if flag in changed]:
                run(connection, "ALTER ROLE {role} " + _FLAGS[flag][0 if new[flag] else 1], role=name(role))
            _alter(connection, role, new, changed - _FLAGS.keys())
            found = self._find(connection, role, new)
        if found is None:
            raise NotFoundError(f'The role "{role}" is gone. `pulumi refresh` takes note of that.')
        return self._outputs(found, request.inputs)

    def delete(self, request: DeleteRequest) -> None:
        """Hand over what it owns in the provider's database, then drop it."""
        values = self.values(request.state)
        role = values["name"] or request.id
        with self.server.connect(doing=f'dropping the role "{role}"') as connection:
            if not values["skipReassignOwned"]:
                with member_of(connection, role), connection.transaction():
                    run(connection, "REASSIGN OWNED BY {role} TO CURRENT_USER", role=name(role))
                    run(connection, "DROP OWNED BY {role}", role=name(role))
            if not values["skipDropRole"]:
                run(connection, "DROP ROLE {role}", role=name(role))

    def _find(self, connection: Connection, role: str, recorded: Values) -> Properties | None:
        row = one(
            connection,
            """
            SELECT rolsuper, rolcreatedb, rolcreaterole, rolinherit, rolcanlogin, rolreplication, rolbypassrls,
                   rolconnlimit, coalesce(rolvaliduntil::text, 'infinity'),
                   coalesce(rolvaliduntil, 'infinity') = %s::timestamptz, coalesce(rolconfig, '{}'),
                   ARRAY(SELECT pg_get_userbyid(roleid) FROM pg_auth_members WHERE member = pg_roles.oid ORDER BY 1)
            FROM pg_roles WHERE rolname = %s
            """,
            recorded["validUntil"],
            role,
        )
        if row is None:
            return None
        flags, (limit, valid_until, as_recorded, settings, roles) = row[:7], row[7:]
        found: Properties = {
            "name": role,
            "encryptedPassword": True,
            "connectionLimit": limit,
            # A date reads back in PostgreSQL's own form; the program's form of the same moment is no drift.
            "validUntil": recorded["validUntil"] if as_recorded else valid_until,
            "skipDropRole": recorded["skipDropRole"],
            "skipReassignOwned": recorded["skipReassignOwned"],
            **dict(zip(_FLAGS, flags, strict=True)),
            **read_settings(settings),
        }
        if roles or recorded["roles"]:
            found["roles"] = roles
        password = self._password(connection, role, recorded["password"], bool(found["login"]))
        if password:
            found["password"] = Secret(password)
        return found

    def _password(self, connection: Connection, role: str, recorded: str | None, login: bool) -> str | None:
        """The recorded password, unless a superuser sees that the role has another one."""
        if not login or not self.server.settings.superuser:
            return recorded
        row = one(connection, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if not (row and row[0]):
            raise ProviderError(
                f'Cannot read the password of the role "{role}": the user {self.server.settings.username!r} is no '
                "superuser. Set `postgresql:superuser` to false; then the password in the state is trusted."
            )
        row = one(connection, "SELECT rolpassword FROM pg_authid WHERE rolname = %s", role)
        stored: str = (row and row[0]) or ""
        # SCRAM hashes are salted, so they cannot be compared; the official plugin trusts the state too.
        is_same = stored.startswith("SCRAM-SHA-256$") or stored == _md5(recorded or "", role)
        return recorded if recorded and not recorded.startswith(_HASHED) and is_same else stored

    def _outputs(self, found: Properties, inputs: Properties) -> Properties:
        return self.outputs(found, inputs)


def _default(key: str) -> Any:
    return Role.fields[key].default


def _alter(connection: Connection, role: str, values: Values, changed: set[str]) -> None:
    """Bring everything but the flags and the name to what the program wants."""
    quoted = name(role)
    if "password" in changed:
        run(
            connection,
            "ALTER ROLE {role} PASSWORD {password}",
            role=quoted,
            password=_verifier(connection, role, values),
        )
    if "connectionLimit" in changed:
        limit = literal(values["connectionLimit"])
        run(connection, "ALTER ROLE {role} CONNECTION LIMIT {limit}", role=quoted, limit=limit)
    if "validUntil" in changed:
        run(connection, "ALTER ROLE {role} VALID UNTIL {date}", role=quoted, date=literal(values["validUntil"]))
    if "roles" in changed:
        _set_memberships(connection, role, values["roles"] or [])
    if "searchPaths" in changed:
        set_or_reset(connection, role, "search_path", search_path(values["searchPaths"] or []))
    if "statementTimeout" in changed:
        set_or_reset(connection, role, "statement_timeout", literal(values["statementTimeout"] or 0))
    if "idleInTransactionSessionTimeout" in changed:
        timeout = literal(values["idleInTransactionSessionTimeout"] or 0)
        set_or_reset(connection, role, "idle_in_transaction_session_timeout", timeout)
    if "assumeRole" in changed:
        set_or_reset(connection, role, "role", name(values["assumeRole"]) if values["assumeRole"] else None)


def _verifier(connection: Connection, role: str, values: Values) -> Any:
    """The password as PostgreSQL stores it: hashed here, so that no statement, and so no server log, holds it."""
    password: str | None = values["password"]
    if not password or password.upper() == "NULL":
        return words("NULL")
    if password.startswith(_HASHED):
        return literal(password)
    return literal(connection.pgconn.encrypt_password(password.encode(), role.encode()).decode())


def _set_memberships(connection: Connection, role: str, wanted: list[str]) -> None:
    row = one(
        connection,
        "SELECT ARRAY(SELECT pg_get_userbyid(roleid)::text FROM pg_auth_members WHERE member = r.oid) "
        "FROM pg_roles r WHERE rolname = %s",
        role,
    )
    present = set(row[0]) if row else set()
    for other in sorted(present - set(wanted)):
        run(connection, "REVOKE {other} FROM {role}", other=name(other), role=name(role))
    for other in sorted(set(wanted) - present):
        run(connection, "GRANT {other} TO {role}", other=name(other), role=name(role))


def _md5(password: str, role: str) -> str:
    return "md5" + hashlib.md5((password + role).encode(), usedforsecurity=False).hexdigest()
