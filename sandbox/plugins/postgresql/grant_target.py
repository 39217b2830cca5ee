"""What privileges can be on: the words of GRANT and REVOKE for it, and the query that reads them back."""

from dataclasses import dataclass

from psycopg import sql

from sandbox.plugins.postgresql.fields import Values

# The first is short for all that follow.
ALLOWED: dict[str, tuple[str, ...]] = {
    "database": ("ALL", "CREATE", "CONNECT", "TEMPORARY"),
    "schema": ("ALL", "CREATE", "USAGE"),
    "table": ("ALL", "SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"),
    "sequence": ("ALL", "USAGE", "SELECT", "UPDATE"),
    "function": ("ALL", "EXECUTE"),
    "procedure": ("ALL", "EXECUTE"),
    "routine": ("ALL", "EXECUTE"),
}
# relkind and prokind of what GRANT ... ON ALL ... IN SCHEMA covers.
RELATIONS = {"table": "rvmpf", "sequence": "S"}
ROUTINES = {"function": "faw", "procedure": "p", "routine": "fawp"}

# Where nobody granted anything yet, PostgreSQL stores no list and its defaults hold: acldefault tells those.
_GRANTED = """
    SELECT o.{name}, ARRAY(
        SELECT a.privilege_type::text FROM aclexplode(coalesce(o.{acl}, acldefault('{kind}', o.{owner}))) a
        WHERE a.grantee = CASE WHEN wanted.role = 'public' THEN 0 ELSE to_regrole(quote_ident(wanted.role)) END)
    FROM (SELECT %s::text AS role, %s::text AS place) wanted, {catalog} o
"""
_IN_SCHEMA = " JOIN pg_namespace n ON n.oid = o.{namespace} WHERE n.nspname = wanted.place AND o.{kind}::text = ANY(%s)"
_TABLES = _GRANTED.format(name="relname", acl="relacl", kind="{kind}", owner="relowner", catalog="pg_class")
_TABLES += _IN_SCHEMA.format(namespace="relnamespace", kind="relkind")
_FUNCTIONS = _GRANTED.format(name="proname", acl="proacl", kind="f", owner="proowner", catalog="pg_proc")
_FUNCTIONS += _IN_SCHEMA.format(namespace="pronamespace", kind="prokind")

READERS = {
    "database": _GRANTED.format(name="datname", acl="datacl", kind="d", owner="datdba", catalog="pg_database")
    + " WHERE o.datname = wanted.place",
    "schema": _GRANTED.format(name="nspname", acl="nspacl", kind="n", owner="nspowner", catalog="pg_namespace")
    + " WHERE o.nspname = wanted.place",
    "table": _TABLES.replace("{kind}", "r"),
    "sequence": _TABLES.replace("{kind}", "s"),
    "function": _FUNCTIONS,
    "procedure": _FUNCTIONS,
    "routine": _FUNCTIONS,
}


@dataclass(frozen=True)
class Target:
    """The objects and the role of one grant."""

    objects: sql.Composable
    role: sql.Composable

    @classmethod
    def of(cls, values: Values) -> "Target":
        """Take it from checked inputs."""
        kind = values["objectType"]
        schema = sql.Identifier(values["schema"] or "")
        if kind == "database":
            objects: sql.Composable = sql.SQL("DATABASE {}").format(sql.Identifier(values["database"]))
        elif kind == "schema":
            objects = sql.SQL("SCHEMA {}").format(schema)
        elif values["objects"]:
            names = [sql.SQL(".").join([schema, sql.Identifier(each)]) for each in sorted(values["objects"])]
            objects = sql.SQL(kind.upper() + " {}").format(sql.SQL(", ").join(names))
        else:
            objects = sql.SQL(f"ALL {kind.upper()}S IN SCHEMA {{}}").format(schema)
        role = sql.SQL("PUBLIC") if values["role"] == "public" else sql.Identifier(values["role"])
        return cls(objects, role)

    def revoke(self) -> sql.Composed:
        """Take all privileges away."""
        return sql.SQL("REVOKE ALL PRIVILEGES ON {} FROM {}").format(self.objects, self.role)

    def grant(self, privileges: list[str], with_grant_option: bool) -> sql.Composed:
        """Give these privileges; their names were checked against `ALLOWED`."""
        words = sql.SQL(", ".join(sorted(privileges)))
        option = sql.SQL(" WITH GRANT OPTION" if with_grant_option else "")
        return sql.SQL("GRANT {} ON {} TO {}{}").format(words, self.objects, self.role, option)
