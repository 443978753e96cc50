"""Roles of a database server: the schema's owner for migrations, and a role for the services.

An administrator creates both and is used for nothing else: a superuser can run programs and read files
of the machine (`COPY FROM PROGRAM`, `pg_read_file`), which services must not.
"""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from shared.tables.walls import GATEWAY_ROLE

STATEMENTS = (
    "GRANT USAGE ON SCHEMA public TO {services}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {services}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {services}",
    """ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public
        GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {services}""",
    """ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public
        GRANT USAGE, SELECT ON SEQUENCES TO {services}""",
)
"""Services and the gateway's role read and write rows, also in tables that later migrations add."""
HAND_OVER = """
DO $$
DECLARE found record;
BEGIN
    FOR found IN
        SELECT format('ALTER %s %s OWNER TO {owner}', kind, name) AS statement FROM (
            SELECT CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
                   WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, oid::regclass::text AS name
            FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
              AND relowner <> '{owner}'::regrole
              AND NOT EXISTS (SELECT FROM pg_depend
                              WHERE objid = pg_class.oid AND deptype IN ('a', 'i') AND relkind = 'S')
            UNION ALL
            SELECT 'ROUTINE', oid::regprocedure::text FROM pg_proc
            WHERE pronamespace = 'public'::regnamespace AND proowner <> '{owner}'::regrole
            UNION ALL
            SELECT 'TYPE', oid::regtype::text FROM pg_type
            WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd')
              AND typowner <> '{owner}'::regrole
        ) AS objects
    LOOP
        EXECUTE found.statement;
    END LOOP;
END $$
"""
"""In databases of earlier versions the superuser owns all objects, and REASSIGN OWNED cannot change that."""


@dataclass(frozen=True)
class Role:
    """A login and its password."""

    name: str
    password: str


def ensure_role(connection: psycopg.Connection[Any], role: Role) -> None:
    """Create the login or change its password. Only the hash is sent: the server may log the statement."""
    name = sql.Identifier(role.name)
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role.name]).fetchone() is None:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
    hashed = connection.pgconn.encrypt_password(role.password.encode(), role.name.encode(), b"scram-sha-256")
    if is_superuser(connection):  # nobody else may name the first of these, even to leave it as it is
        connection.execute(
            sql.SQL("ALTER ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION").format(name)
        )
    else:  # a database and its objects can be given only to a role that one may act as
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(name))
    connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(hashed.decode())))


def ensure_gateway(connection: psycopg.Connection[Any], services: Role) -> None:
    """Create the gateway's role, which cannot log in, and let the services' role become it.

    The services do not inherit it: its policies restrict a transaction only after `SET LOCAL ROLE`.
    """
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [GATEWAY_ROLE]).fetchone() is None:
        connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(GATEWAY_ROLE)))
    connection.execute(
        sql.SQL("GRANT {} TO {} WITH INHERIT FALSE, SET TRUE").format(
            sql.Identifier(GATEWAY_ROLE), sql.Identifier(services.name)
        )
    )


def is_superuser(connection: psycopg.Connection[Any]) -> bool:
    """Whether this connection's role is a superuser. Managed servers give their customers none."""
    return connection.info.parameter_status("is_superuser") == "on"


def ensure_database(connection: psycopg.Connection[Any], name: str, owner: Role) -> None:
    """Create the database if it is missing and set its owner. The connection must be in autocommit mode."""
    found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
    verb = "ALTER DATABASE {} OWNER TO {}" if found else "CREATE DATABASE {} OWNER {}"
    connection.execute(sql.SQL(verb).format(sql.Identifier(name), sql.Identifier(owner.name)))


def ensure_privileges(connection: psycopg.Connection[Any], owner: Role, services: Role) -> None:
    """Give all objects of the connection's database to the owner, and let services read and write rows."""
    connection.execute(HAND_OVER.format(owner=owner.name).encode())
    names = {"owner": sql.Identifier(owner.name)}
    connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {owner}").format(**names))
    for grantee in (services.name, GATEWAY_ROLE):
        for statement in STATEMENTS:
            connection.execute(sql.SQL(statement).format(**names, services=sql.Identifier(grantee)))
