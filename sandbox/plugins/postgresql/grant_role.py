"""`postgresql.GrantRole`: one role's membership in another."""

from psycopg.sql import Composable

from sandbox.plugins.postgresql.fields import Field, FieldResource, Values
from sandbox.plugins.postgresql.server import Connection, name, one, run
from sandbox.plugins.provider import CreateRequest, DeleteRequest, NotFoundError, Properties, ReadRequest, State


class GrantRole(FieldResource):
    """Nothing of it can be changed in place. Its id is `role_grantRole_withAdminOption`, as upstream makes it."""

    fields = {  # noqa: RUF012 (the table is constant)
        "role": Field(str, required=True, replaces=True, is_name=True),
        "grantRole": Field(str, required=True, replaces=True, is_name=True),
        "withAdminOption": Field(bool, default=False, replaces=True),
    }

    def create(self, request: CreateRequest) -> State:
        """GRANT role TO role."""
        values = self.values(request.inputs)
        option = " WITH ADMIN OPTION" if values["withAdminOption"] else ""
        doing = f'making "{values["role"]}" a member of "{values["grantRole"]}"'
        with self.server.connect(doing=doing) as connection:
            run(connection, "GRANT {granted} TO {role}" + option, **_parts(values))
            found = _find(connection, values)
        if found is None:
            raise NotFoundError(f"The membership was granted but is gone again ({doing}).")
        resource_id = "_".join([values["role"], values["grantRole"], str(values["withAdminOption"]).lower()])
        return State(resource_id, self.outputs(found, request.inputs))

    def read(self, request: ReadRequest) -> State | None:
        """Look it up in the catalog. Its id cannot be taken apart, so it cannot be imported, as with upstream."""
        values = self.values(request.state)
        with self.server.connect(doing=f"reading the membership {request.id}") as connection:
            found = _find(connection, values)
        if found is None:
            return None
        return State(request.id, self.outputs(found, request.inputs), request.inputs or found)

    def delete(self, request: DeleteRequest) -> None:
        """REVOKE role FROM role; nothing to do where one of them is gone."""
        values = self.values(request.state)
        doing = f'ending the membership of "{values["role"]}" in "{values["grantRole"]}"'
        with self.server.connect(doing=doing) as connection:
            if _find(connection, values) is not None:
                run(connection, "REVOKE {granted} FROM {role}", **_parts(values))


def _parts(values: Values) -> dict[str, Composable]:
    return {"granted": name(values["grantRole"]), "role": name(values["role"])}


def _find(connection: Connection, values: Values) -> Properties | None:
    row = one(
        connection,
        "SELECT bool_or(admin_option) FROM pg_auth_members m"
        " JOIN pg_roles granted ON granted.oid = m.roleid JOIN pg_roles member ON member.oid = m.member"
        " WHERE granted.rolname = %s AND member.rolname = %s",
        values["grantRole"],
        values["role"],
    )
    if row is None or row[0] is None:
        return None
    return {"role": values["role"], "grantRole": values["grantRole"], "withAdminOption": row[0]}
