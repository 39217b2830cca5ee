"""`postgresql.Database`: a database of the server."""

from collections.abc import Callable

from psycopg.sql import Composable

from sandbox.plugins.postgresql.fields import Field, FieldResource, Values
from sandbox.plugins.postgresql.membership import member_of
from sandbox.plugins.postgresql.server import Connection, literal, name, one, run, words
from sandbox.plugins.provider import (
    CreateRequest,
    DeleteRequest,
    NotFoundError,
    Properties,
    ReadRequest,
    State,
    UpdateRequest,
)

_DEFAULT_TEMPLATE = "template0"


class Database(FieldResource):
    """Created with a bare CREATE DATABASE, so that an existing one is an error; dropped with force."""

    generated_name = True
    fields = {  # noqa: RUF012 (the table is constant)
        "name": Field(str, is_name=True),
        "owner": Field(str, computed=True, is_name=True),
        "template": Field(str, computed=True, replaces=True),
        "encoding": Field(str, computed=True, replaces=True),
        "lcCollate": Field(str, computed=True, replaces=True),
        "lcCtype": Field(str, computed=True, replaces=True),
        "tablespaceName": Field(str, computed=True),
        "connectionLimit": Field(int, default=-1),
        "allowConnections": Field(bool, default=True),
        "isTemplate": Field(bool, computed=True),
        "alterObjectOwnership": Field(bool, default=False, only=(False,)),
    }

    def create(self, request: CreateRequest) -> State:
        """CREATE DATABASE."""
        values = self.values(request.inputs)
        database = values["name"]
        owner = values["owner"] or self.server.settings.database_username
        with self.server.connect(doing=f'creating the database "{database}"') as connection:
            with member_of(connection, owner):
                run(connection, "CREATE DATABASE {name} " + _options(values), **_parts(values, owner))
            found = _find(connection, database, values)
        if found is None:
            raise NotFoundError(f'The database "{database}" was created but is gone again.')
        return State(database, self.outputs(found, request.inputs))

    def read(self, request: ReadRequest) -> State | None:
        """Look it up in the catalog."""
        values = self.values(request.state)
        # A renamed database keeps its first id in the state.
        database = values["name"] or request.id
        with self.server.connect(doing=f'reading the database "{database}"') as connection:
            found = _find(connection, database, values)
        if found is None:
            return None
        inputs = request.inputs or {key: value for key, value in found.items() if key in self.fields}
        return State(request.id, self.outputs(found, request.inputs), inputs)

    def update(self, request: UpdateRequest) -> Properties:
        """ALTER DATABASE, one statement per changed field."""
        new, old = self.values(request.inputs), self.values(request.state)
        database = new["name"]
        changed = {key for key in new.changed(old) if new[key] is not None}
        with self.server.connect(doing=f'updating the database "{old["name"]}"') as connection:
            with member_of(connection, old["owner"] or "", new["owner"] or ""):
                if "name" in changed:
                    run(connection, "ALTER DATABASE {old} RENAME TO {new}", old=name(old["name"]), new=name(database))
                for field, statement in _ALTERATIONS.items():
                    if field in changed:
                        value = name(new[field]) if isinstance(new[field], str) else literal(new[field])
                        run(connection, "ALTER DATABASE {name} " + statement, name=name(database), value=value)
            found = _find(connection, database, old)
        if found is None:
            raise NotFoundError(f'The database "{database}" is gone. `pulumi refresh` takes note of that.')
        return self.outputs(found, request.inputs)

    def delete(self, request: DeleteRequest) -> None:
        """Keep new sessions out, end the open ones, drop. Pods may still be connected."""
        values = self.values(request.state)
        database = values["name"] or request.id
        with self.server.connect(doing=f'dropping the database "{database}"') as connection:
            row = one(
                connection,
                "SELECT pg_get_userbyid(datdba), datistemplate FROM pg_database WHERE datname = %s",
                database,
            )
            if row is None:
                # As with the official plugin: something else removed it, and a person should know.
                raise NotFoundError(
                    f'The database "{database}" does not exist, so it cannot be dropped. '
                    "`pulumi refresh` takes note of what is gone."
                )
            owner, is_template = row
            with member_of(connection, owner):
                if is_template:
                    run(connection, "ALTER DATABASE {name} IS_TEMPLATE false", name=name(database))
                run(connection, "ALTER DATABASE {name} ALLOW_CONNECTIONS false", name=name(database))
                run(connection, "DROP DATABASE {name} WITH (FORCE)", name=name(database))


_ALTERATIONS = {
    "owner": "OWNER TO {value}",
    "tablespaceName": "SET TABLESPACE {value}",
    "connectionLimit": "CONNECTION LIMIT {value}",
    "allowConnections": "ALLOW_CONNECTIONS {value}",
    "isTemplate": "IS_TEMPLATE {value}",
}


def _options(values: Values) -> str:
    """The options of CREATE DATABASE; those that nobody asked for are left to the server."""
    options = ["OWNER {owner}", "TEMPLATE {template}", "ENCODING {encoding}"]
    optional = {
        "lcCollate": "LC_COLLATE {collate}",
        "lcCtype": "LC_CTYPE {ctype}",
        "tablespaceName": "TABLESPACE {space}",
    }
    options += [option for field, option in optional.items() if values[field]]
    options += ["ALLOW_CONNECTIONS {allow}", "CONNECTION LIMIT {limit}", "IS_TEMPLATE {is_template}"]
    return " ".join(options)


def _parts(values: Values, owner: str) -> dict[str, Composable]:
    return {
        "name": name(values["name"]),
        "owner": name(owner),
        "template": _or_default(values["template"] or _DEFAULT_TEMPLATE, name),
        "encoding": _or_default(values["encoding"] or "UTF8", literal),
        "collate": _or_default(values["lcCollate"], literal),
        "ctype": _or_default(values["lcCtype"], literal),
        "space": _or_default(values["tablespaceName"], name),
        "allow": literal(values["allowConnections"]),
        "limit": literal(values["connectionLimit"]),
        "is_template": literal(bool(values["isTemplate"])),
    }


def _or_default(text: str | None, quote: Callable[[str], Composable]) -> Composable:
    """DEFAULT is a keyword of CREATE DATABASE: the value of the template."""
    return words("DEFAULT") if text and text.upper() == "DEFAULT" else quote(text or "")


def _find(connection: Connection, database: str, recorded: Values) -> Properties | None:
    row = one(
        connection,
        """
        SELECT pg_get_userbyid(d.datdba), pg_encoding_to_char(d.encoding), d.datcollate, d.datctype, t.spcname,
               d.datconnlimit, d.datallowconn, d.datistemplate
        FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace
        WHERE d.datname = %s
        """,
        database,
    )
    if row is None:
        return None
    keys = ("owner", "encoding", "lcCollate", "lcCtype", "tablespaceName", "connectionLimit", "allowConnections")
    return {
        "name": database,
        # PostgreSQL does not record which template a database was made from.
        "template": recorded["template"] or _DEFAULT_TEMPLATE,
        "alterObjectOwnership": False,
        **dict(zip((*keys, "isTemplate"), row, strict=True)),
    }
