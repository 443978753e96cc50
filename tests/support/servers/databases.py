"""Settings for databases of the embedded PostgreSQL server; creating and dropping databases."""

from typing import LiteralString

import psycopg
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy.engine import URL, make_url

from infra.local.stack import EmbeddedStack
from shared.settings import DatabaseSettings


def database_settings(stack: EmbeddedStack, name: str, *, as_owner: bool = False) -> DatabaseSettings:
    """Settings for one database of the stack, for the services' role or for the owner's."""
    assert stack.postgres is not None
    address = stack.postgres.owner_url() if as_owner else stack.postgres.url()
    url = make_url(address).set(database=name)
    return DatabaseSettings(url=SecretStr(url.render_as_string(hide_password=False)), pool_size=8)


def administer(stack: EmbeddedStack, statement: LiteralString, *names: str) -> None:
    """Create or drop databases."""
    assert stack.postgres is not None
    with psycopg.connect(stack.postgres.superuser_url(), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def role_url(url: str, role: str | None = None, password: str | None = None) -> URL:
    """A database's address, for another role if one is given."""
    return make_url(url).set(username=role, password=password) if role else make_url(url)
