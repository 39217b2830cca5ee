"""The offline `postgresql` plugin: databases, roles, grants and extensions on a real server, by psycopg.

It behaves as pulumi-postgresql 3.18 does, which wraps cyrilgdn/terraform-provider-postgresql.
"""
