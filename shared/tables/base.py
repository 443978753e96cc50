"""Parts of all tables: the declarative base, names of constraints, ids and times from the database."""

from datetime import datetime
from enum import Enum
from typing import Annotated, Any, ClassVar, cast
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, MetaData, SmallInteger, String, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.types import UserDefinedType

Json = dict[str, Any]

Uuid7 = Annotated[UUID, mapped_column(primary_key=True, server_default=text("uuidv7()"))]
"""Primary key that PostgreSQL 18 generates: a UUIDv7, which sorts by time of the database's clock."""

CreatedAt = Annotated[datetime, mapped_column(server_default=func.now())]

Small = Annotated[int, mapped_column(SmallInteger)]


class Xid8(UserDefinedType[int]):
    """PostgreSQL's `xid8`, a transaction number of 64 bits that never wraps around, as an int."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """The type's name in SQL."""
        return "xid8"

    def bind_processor(self, dialect: Any) -> Any:
        """xid8 has no casts from integers, so values are sent as text."""
        del dialect
        return lambda value: None if value is None else str(value)

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        """psycopg returns xid8 as text."""
        del dialect, coltype
        return lambda value: None if value is None else int(value)


cast("dict[str, Any]", ischema_names)["xid8"] = Xid8
"""Alembic compares the type in the database with that of the tables."""


class Base(DeclarativeBase):
    """Base of every table; the naming convention lets migrations drop constraints by name."""

    metadata: ClassVar[MetaData] = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        int: BigInteger,
        str: String,
    }


def one_of(column: str, values: type[Enum]) -> CheckConstraint:
    """Constraint that a text column contains one of an enum's values."""
    allowed = ", ".join(f"'{member.value}'" for member in values)
    return CheckConstraint(f"{column} IN ({allowed})", name=f"{column}_known")


def in_states(states: "frozenset[Any]") -> str:
    """SQL condition that the state is one of these, in a fixed order so that migrations do not differ."""
    return f"state IN ({', '.join(sorted(repr(str(state)) for state in states))})"
