"""Create the roles of a database server of one's own: `python -m migrations.roles`.

`luminary up` does this with its embedded server. These variables have the addresses: DATABASE_ADMIN_URL of a
superuser or of a role with CREATEROLE and CREATEDB, DATABASE_OWNER_URL for the migrations, DATABASE_URL for
the services, DATABASE_SCALER_URL if workers are scaled by the view `queue_work`, and DATABASE_READER_URL if
dashboards read the views in the schema `dashboards`. Running it again sets the passwords anew.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from infra.local.postgres_roles import Role, ensure_database, ensure_gateway, ensure_privileges, ensure_role
from migrations.patience import LOCK_SECONDS, trying_again
from shared.tables.walls import ONE_PROJECT, TENANT_TABLES, restriction

SCALER = "luminary_scaler"
"""Name of the role that may read the view `queue_work` alone; migration 0019 knows it, too."""
READER = "luminary_reader"
"""Name of the role that may read the views of dashboards alone."""
WITHOUT_POLICY = """
SELECT FROM pg_class WHERE oid = to_regclass(%s) AND relrowsecurity
    AND NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid AND polname = %s)
"""
MAY_READ: Mapping[str, tuple[LiteralString, ...]] = {
    SCALER: (
        "GRANT CONNECT ON DATABASE {database} TO {role}",
        "GRANT USAGE ON SCHEMA public TO {role}",
        """DO $$ BEGIN
            IF to_regclass('public.queue_work') IS NOT NULL THEN
                GRANT SELECT ON queue_work TO luminary_scaler;
            END IF;
        END $$""",
        "ALTER ROLE {role} CONNECTION LIMIT 5",
        "ALTER ROLE {role} SET statement_timeout = '5s'",
        "ALTER ROLE {role} SET default_transaction_read_only = on",
    ),
    READER: (
        "GRANT CONNECT ON DATABASE {database} TO {role}",
        """DO $$ BEGIN
            IF to_regnamespace('dashboards') IS NOT NULL THEN
                GRANT USAGE ON SCHEMA dashboards TO luminary_reader;
                GRANT SELECT ON ALL TABLES IN SCHEMA dashboards TO luminary_reader;
            END IF;
        END $$""",
        "ALTER ROLE {role} CONNECTION LIMIT 10",
        "ALTER ROLE {role} SET statement_timeout = '15s'",
        "ALTER ROLE {role} SET default_transaction_read_only = on",
        "ALTER ROLE {role} SET search_path = dashboards",
    ),
}
"""Privileges and limits of roles that only read: one that hangs or leaks connections must not slow down
claims. A view that does not exist yet is granted when it is migrated."""


def let_read(connection: psycopg.Connection[Any], database: str, role: Role) -> None:
    """Let a role of `MAY_READ` read what is meant for it, and limit it."""
    names = {"database": sql.Identifier(database), "role": sql.Identifier(role.name)}
    for statement in MAY_READ[role.name]:
        connection.execute(sql.SQL(statement).format(**names))


class RolesError(Exception):
    """A wrong variable, in the words that the command prints."""


@dataclass(frozen=True)
class Roles:
    """Roles and addresses from the variables. readers: the roles of `MAY_READ` that are wanted."""

    admin_url: str
    database: str
    owner: Role
    services: Role
    readers: tuple[Role, ...] = ()


def read_roles(given: Mapping[str, str]) -> Roles:
    """Read names and passwords from the addresses. Raises RolesError that names the variable."""
    admin = given.get("DATABASE_ADMIN_URL")
    if not admin:
        raise RolesError("DATABASE_ADMIN_URL is required: the address of an administrator")
    owner, database = login("DATABASE_OWNER_URL", given)
    services, same = login("DATABASE_URL", given)
    if same != database:
        raise RolesError("DATABASE_OWNER_URL and DATABASE_URL must name the same database")
    readers: list[Role] = []
    for variable, name in (("DATABASE_SCALER_URL", SCALER), ("DATABASE_READER_URL", READER)):
        if given.get(variable):
            reader, _ = login(variable, given)
            if reader.name != name:
                raise RolesError(f"{variable} must have the user {name}, which the migrations know")
            readers.append(reader)
    return Roles(admin, database, owner, services, tuple(readers))


def login(variable: str, given: Mapping[str, str]) -> tuple[Role, str]:
    """The role of an address and the name of its database. Raises RolesError."""
    try:
        parts = conninfo_to_dict(given.get(variable, ""))
    except psycopg.ProgrammingError:
        parts = {}
    if not (parts.get("user") and parts.get("password") and parts.get("dbname")):
        raise RolesError(f"{variable} must be like postgresql://user:password@host:5432/database")
    return Role(str(parts["user"]), str(parts["password"])), str(parts["dbname"])


def create_roles(roles: Roles) -> None:
    """Create or update roles, database and privileges. Raises psycopg.Error."""
    with psycopg.connect(roles.admin_url, autocommit=True) as connection:
        for role in (roles.owner, roles.services, *roles.readers):
            ensure_role(connection, role)
        ensure_gateway(connection, roles.services)
        ensure_database(connection, roles.database, roles.owner)
    with psycopg.connect(roles.admin_url, dbname=roles.database) as connection:
        ensure_privileges(connection, roles.owner, roles.services)
        for reader in roles.readers:
            let_read(connection, roles.database, reader)
    with psycopg.connect(roles.admin_url, dbname=roles.database, autocommit=True) as connection:
        complete_walls(connection)


def complete_walls(connection: psycopg.Connection[Any]) -> None:
    """Restrict the gateway's role in tables that were migrated before the role existed, while services work.

    One table after another, because a transaction that locks several could deadlock with a service. Gateways
    look for the policy of `jobs`, so it is the last one. The connection must be in autocommit mode.
    """
    connection.execute(sql.SQL("SET lock_timeout = {}").format(int(LOCK_SECONDS * 1000)))
    for table in sorted(TENANT_TABLES, key=lambda table: table == "jobs"):
        if connection.execute(WITHOUT_POLICY, [table, ONE_PROJECT]).fetchone() is not None:
            trying_again()(connection.execute, restriction(table, TENANT_TABLES[table]).encode())


def main() -> None:
    """Create the roles; a fault is one line and exit status 1."""
    try:
        create_roles(read_roles(os.environ))
    except RolesError as error:
        sys.exit(f"roles: {error}")
    except psycopg.Error as error:
        sys.exit(f"roles: {str(error).strip().splitlines()[0]}")


if __name__ == "__main__":
    main()
