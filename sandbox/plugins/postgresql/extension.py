"""`postgresql.Extension`: an extension in one database."""

from sandbox.plugins.postgresql.fields import Field, FieldResource, Values
from sandbox.plugins.postgresql.server import Connection, name, one, run
from sandbox.plugins.provider import (
    CreateRequest,
    DeleteRequest,
    InvalidInputError,
    NotFoundError,
    Properties,
    ReadRequest,
    State,
    UpdateRequest,
)


class Extension(FieldResource):
    """Created if it is not there yet. Its id is `database.extension`."""

    fields = {  # noqa: RUF012 (the table is constant)
        "name": Field(str, required=True, replaces=True, is_name=True),
        "database": Field(str, computed=True, replaces=True, is_name=True),
        "schema": Field(str, computed=True, is_name=True),
        "version": Field(str, computed=True),
        "createCascade": Field(bool, default=False),
        "dropCascade": Field(bool, default=False),
    }

    def create(self, request: CreateRequest) -> State:
        """CREATE EXTENSION."""
        values = self.values(request.inputs)
        database, extension = self._place(values, "")
        statement = "CREATE EXTENSION IF NOT EXISTS {name}"
        statement += " SCHEMA {schema}" if values["schema"] else ""
        statement += " VERSION {version}" if values["version"] else ""
        statement += " CASCADE" if values["createCascade"] else ""
        with self.server.connect(database, f'creating the extension "{extension}" in "{database}"') as connection:
            run(
                connection,
                statement,
                name=name(extension),
                schema=name(values["schema"] or ""),
                version=name(values["version"] or ""),
            )
            found = _find(connection, database, extension, values)
        if found is None:
            raise NotFoundError(f'The extension "{extension}" was created in "{database}" but is gone again.')
        return State(f"{database}.{extension}", self.outputs(found, request.inputs))

    def read(self, request: ReadRequest) -> State | None:
        """Look it up; it is gone when its database is."""
        values = self.values(request.state)
        database, extension = self._place(values, request.id)
        doing = f'reading the extension "{extension}" in "{database}"'
        with self.server.connect(doing=doing) as connection:
            if one(connection, "SELECT 1 FROM pg_database WHERE datname = %s", database) is None:
                return None
        with self.server.connect(database, doing) as connection:
            found = _find(connection, database, extension, values)
        if found is None:
            return None
        return State(request.id, self.outputs(found, request.inputs), request.inputs or found)

    def update(self, request: UpdateRequest) -> Properties:
        """Move it to another schema or version."""
        new, old = self.values(request.inputs), self.values(request.state)
        database, extension = self._place(old, request.id)
        changed = {key for key in new.changed(old) if new[key] is not None}
        with self.server.connect(database, f'updating the extension "{extension}" in "{database}"') as connection:
            for field, clause in {"schema": "SET SCHEMA {value}", "version": "UPDATE TO {value}"}.items():
                if field in changed:
                    run(connection, "ALTER EXTENSION {name} " + clause, name=name(extension), value=name(new[field]))
            found = _find(connection, database, extension, new)
        if found is None:
            raise NotFoundError(f'The extension "{extension}" is gone from "{database}". `pulumi refresh` takes note.')
        return self.outputs(found, request.inputs)

    def delete(self, request: DeleteRequest) -> None:
        """DROP EXTENSION; what depends on it keeps it, unless `dropCascade` says otherwise."""
        values = self.values(request.state)
        database, extension = self._place(values, request.id)
        mode = "CASCADE" if values["dropCascade"] else "RESTRICT"
        with self.server.connect(database, f'dropping the extension "{extension}" from "{database}"') as connection:
            run(connection, "DROP EXTENSION {name} " + mode, name=name(extension))

    def _place(self, values: Values, resource_id: str) -> tuple[str, str]:
        """The database and the extension, from the id where nothing else is known (`.get()`, import)."""
        if values["name"]:
            return values["database"] or self.server.settings.database, values["name"]
        database, dot, extension = resource_id.rpartition(".")
        if not (database and dot and extension):
            raise InvalidInputError(f"The id of an extension is `database.extension`, not {resource_id!r}.")
        return database, extension


def _find(connection: Connection, database: str, extension: str, recorded: Values) -> Properties | None:
    row = one(
        connection,
        "SELECT extnamespace::regnamespace::text, extversion FROM pg_extension WHERE extname = %s",
        extension,
    )
    if row is None:
        return None
    return {
        "name": extension,
        "database": database,
        "schema": row[0],
        "version": row[1],
        "createCascade": recorded["createCascade"],
        "dropCascade": recorded["dropCascade"],
    }
