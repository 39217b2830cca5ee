"""Start the plugin."""

from sandbox.plugins.postgresql.provider import PostgresqlProvider
from sandbox.plugins.provider import serve

if __name__ == "__main__":
    serve(PostgresqlProvider())
