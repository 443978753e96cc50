"""Create the roles of a database server of one's own: `python -m migrations.roles`.

`luminary up` does this with its embedded server. Four variables have the addresses: DATABASE_ADMIN_URL of a
superuser or of a role with CREATEROLE and CREATEDB, DATABASE_OWNER_URL for the migrations, DATABASE_URL for
the services, and DATABASE_SCALER_URL if workers are scaled by the view `queue_work`. Running it again sets
the passwords anew.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from infra.local.postgres_roles import Role, ensure_database, ensure_privileges, ensure_role

SCALER = "luminary_scaler"
"""Name of the role that may read the view `queue_work` alone; migration 0019 knows it, too."""
SCALER_STATEMENTS = (
    "GRANT CONNECT ON DATABASE {database} TO {scaler}",
    "GRANT USAGE ON SCHEMA public TO {scaler}",
    """DO $$ BEGIN
        IF to_regclass('public.queue_work') IS NOT NULL THEN GRANT SELECT ON queue_work TO luminary_scaler;
        END IF;
    END $$""",
    "ALTER ROLE {scaler} CONNECTION LIMIT 5",
    "ALTER ROLE {scaler} SET statement_timeout = '5s'",
    "ALTER ROLE {scaler} SET default_transaction_read_only = on",
)
"""A scaler that hangs or leaks connections must not slow down claims."""


def ensure_scaler(connection: psycopg.Connection[Any], database: str) -> None:
    """Let the scaler's role read the view of the work, now if it exists and else when it is migrated."""
    names = {"database": sql.Identifier(database), "scaler": sql.Identifier(SCALER)}
    for statement in SCALER_STATEMENTS:
        connection.execute(sql.SQL(statement).format(**names))


class RolesError(Exception):
    """A wrong variable, in the words that the command prints."""


@dataclass(frozen=True)
class Roles:
    """What the four variables say."""

    admin_url: str
    database: str
    owner: Role
    services: Role
    scaler: Role | None


def read_roles(given: Mapping[str, str]) -> Roles:
    """Read names and passwords from the addresses. Raises RolesError that names the variable."""
    admin = given.get("DATABASE_ADMIN_URL")
    if not admin:
        raise RolesError("DATABASE_ADMIN_URL is required: the address of an administrator")
    owner, database = login("DATABASE_OWNER_URL", given)
    services, same = login("DATABASE_URL", given)
    if same != database:
        raise RolesError("DATABASE_OWNER_URL and DATABASE_URL must name the same database")
    scaler = None
    if given.get("DATABASE_SCALER_URL"):
        scaler, _ = login("DATABASE_SCALER_URL", given)
        if scaler.name != SCALER:
            raise RolesError(f"DATABASE_SCALER_URL must have the user {SCALER}, which the migrations know")
    return Roles(admin, database, owner, services, scaler)


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
    logins = (roles.owner, roles.services, *([roles.scaler] if roles.scaler else []))
    with psycopg.connect(roles.admin_url, autocommit=True) as connection:
        for role in logins:
            ensure_role(connection, role)
        ensure_database(connection, roles.database, roles.owner)
    with psycopg.connect(roles.admin_url, dbname=roles.database) as connection:
        ensure_privileges(connection, roles.owner, roles.services)
        if roles.scaler is not None:
            ensure_scaler(connection, roles.database)


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
