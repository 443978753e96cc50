"""The commands that prepare a database server of one's own: roles, migrations, and the wait for them."""

import os
import secrets
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from infra.local.stack import EmbeddedStack
from migrations.roles import READER, SCALER, RolesError, read_roles
from migrations.wait import what_is_missing
from shared.database import sqlalchemy_url
from shared.settings import DatabaseSettings
from shared.tables.walls import GATEWAY_ROLE, ONE_PROJECT, TENANT_TABLES
from shared.walls import LOOK
from tests.support.servers.databases import database_settings, role_url

ROOT = Path(__file__).parents[2]
ADMIN = "manager"
POLICIES = "SELECT count(*) FROM pg_policies WHERE policyname = %s"


@dataclass(frozen=True)
class Server:
    """A database that does not exist yet, and the variables with its addresses."""

    database: str
    variables: dict[str, str]

    def run(self, module: str, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        """Run a command in an environment with these variables; an empty one is not set."""
        variables = {name: value for name, value in (self.variables | changed).items() if value}
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    def migrate(self) -> subprocess.CompletedProcess[str]:
        """Run the migrations as the owner, as the migration Job does."""
        return self.run("migrations", DATABASE_URL=self.variables["DATABASE_OWNER_URL"])


@pytest.fixture
def server(stack: EmbeddedStack) -> Iterator[Server]:
    """Managed servers give no superuser, so the administrator may only create roles and databases."""
    assert stack.postgres is not None
    name = f"own_{secrets.token_hex(4)}"
    owner, services, admin = f"{name}_owner", f"{name}_services", f"{name}_{ADMIN}"
    place = stack.postgres.superuser_url().rpartition("@")[2].partition("/")[0]

    def address(role: str, database: str) -> str:
        return f"postgresql://{role}:secret-of-{role}@{place}/{database}"

    variables = {
        "DATABASE_ADMIN_URL": address(admin, "postgres"),
        "DATABASE_OWNER_URL": address(owner, name),
        "DATABASE_URL": address(services, name),
        "DATABASE_SCALER_URL": address(SCALER, name),
        "DATABASE_READER_URL": address(READER, name),
    }
    with psycopg.connect(stack.postgres.superuser_url(), autocommit=True) as superuser:
        superuser.execute(
            sql.SQL("CREATE ROLE {} LOGIN CREATEROLE CREATEDB PASSWORD {}").format(
                sql.Identifier(admin), sql.Literal(f"secret-of-{admin}")
            )
        )
        for role in (SCALER, READER):
            superuser.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))
        with hidden(superuser, GATEWAY_ROLE):
            yield Server(name, variables)
            superuser.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            for role in (SCALER, READER, services, owner, GATEWAY_ROLE, admin):
                superuser.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))


@contextmanager
def hidden(superuser: psycopg.Connection[Any], role: str) -> Generator[None]:
    """Let the server have no such role for a while: that of the other tests belongs to its superuser."""
    names = sql.Identifier(role), sql.Identifier(f"{role}_hidden")
    rename = sql.SQL("ALTER ROLE {} RENAME TO {}")
    superuser.execute(rename.format(*names))
    try:
        yield
    finally:
        superuser.execute(rename.format(*reversed(names)))


def test_an_administrator_without_superuser_prepares_a_server_and_services_start(server: Server) -> None:
    assert server.run("migrations.roles").stderr == ""
    waits = server.run("migrations.wait", "0")
    assert waits.returncode == 1
    assert waits.stderr.endswith("migrations: waited for 0 s: the database has no schema yet\n")

    assert server.migrate().stderr == ""
    assert server.run("migrations.wait", "0").stderr == ""
    with psycopg.connect(server.variables["DATABASE_URL"]) as services:
        services.execute("UPDATE projects SET name = name")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            services.execute("DROP TABLE jobs")
    with psycopg.connect(server.variables["DATABASE_SCALER_URL"]) as scaler:
        assert scaler.execute("SELECT COALESCE(SUM(work), 0) FROM queue_work").fetchone() == (0,)
    with psycopg.connect(server.variables["DATABASE_READER_URL"], autocommit=True) as reader:
        assert reader.execute("SELECT id, name FROM projects").fetchall() == []
        reader.execute("SET default_transaction_read_only = off")
        for refused in ("SELECT * FROM public.job_requests", "UPDATE jobs SET state = state"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(refused.encode())


def test_roles_that_only_read_can_be_added_to_a_running_installation(server: Server) -> None:
    assert server.run("migrations.roles", DATABASE_SCALER_URL="", DATABASE_READER_URL="").stderr == ""
    assert server.migrate().stderr == ""
    assert server.run("migrations.roles").stderr == ""
    with psycopg.connect(server.variables["DATABASE_SCALER_URL"]) as scaler:
        assert scaler.execute("SELECT * FROM queue_work").fetchall() == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            scaler.execute("SELECT * FROM jobs")
    with psycopg.connect(server.variables["DATABASE_READER_URL"]) as reader:
        assert reader.execute("SELECT * FROM jobs").fetchall() == []


def test_a_schema_that_is_older_than_the_gateways_role_gets_its_policies_with_it(
    server: Server, stack: EmbeddedStack
) -> None:
    """The owner may not create roles, so the migration leaves the policies out."""
    assert stack.postgres is not None
    assert server.run("migrations.roles").stderr == ""
    with psycopg.connect(stack.postgres.superuser_url(server.database), autocommit=True) as superuser:
        for statement in ("DROP OWNED BY {}", "DROP ROLE {}"):
            superuser.execute(sql.SQL(statement).format(sql.Identifier(GATEWAY_ROLE)))
    assert server.migrate().stderr == ""
    with psycopg.connect(server.variables["DATABASE_URL"]) as services:
        assert services.execute(LOOK, [GATEWAY_ROLE]).fetchone() == (False,)
    assert server.run("migrations.roles").stderr == ""
    with psycopg.connect(server.variables["DATABASE_URL"]) as services:
        assert services.execute(LOOK, [GATEWAY_ROLE]).fetchone() == (True,)
        assert services.execute(POLICIES, [ONE_PROJECT]).fetchone() == (len(TENANT_TABLES),)
        services.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(GATEWAY_ROLE)))
        assert services.execute("SELECT count(*) FROM projects").fetchone() == (0,)


def test_services_start_with_a_newer_schema_and_wait_for_an_older_one(
    stack: EmbeddedStack, settings: DatabaseSettings
) -> None:
    name = role_url(settings.url.get_secret_value()).database
    assert name is not None
    owner = create_engine(sqlalchemy_url(database_settings(stack, name, as_owner=True)), poolclass=NullPool)

    def missing(revision: str) -> str | None:
        with owner.begin() as connection:
            connection.execute(
                text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision}
            )
        return what_is_missing(owner)

    assert what_is_missing(owner) is None
    assert missing("9999") is None
    assert str(missing("0001")).startswith("the database has the schema 0001, this version needs ")


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("DATABASE_ADMIN_URL", "", "DATABASE_ADMIN_URL is required: the address of an administrator"),
        ("DATABASE_URL", "postgresql://somebody@localhost/x", "DATABASE_URL must be like postgresql://"),
        ("DATABASE_URL", "postgresql://a:b@localhost/x", "must name the same database"),
        ("DATABASE_SCALER_URL", "postgresql://a:b@localhost/x", f"must have the user {SCALER}"),
    ],
)
def test_a_wrong_address_is_named(server: Server, variable: str, value: str, reason: str) -> None:
    with pytest.raises(RolesError, match=reason):
        read_roles({**server.variables, variable: value})


def test_an_administrator_who_cannot_log_in_is_one_line(server: Server) -> None:
    wrong = server.variables["DATABASE_ADMIN_URL"].replace("secret-of", "not-secret-of")
    refused = server.run("migrations.roles", DATABASE_ADMIN_URL=wrong)
    assert refused.returncode == 1
    assert refused.stderr.startswith("roles: ")
    assert refused.stderr.count("\n") == 1
