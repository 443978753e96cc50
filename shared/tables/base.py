"""What all tables share: the declarative base, constraint names, ids and times made by the database."""

from datetime import datetime
from enum import Enum
from typing import Annotated, Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, MetaData, SmallInteger, String, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

Json = dict[str, Any]

Uuid7 = Annotated[UUID, mapped_column(primary_key=True, server_default=text("uuidv7()"))]
"""PostgreSQL 18 makes the id: sortable by time, with the database's clock."""

CreatedAt = Annotated[datetime, mapped_column(server_default=func.now())]

Small = Annotated[int, mapped_column(SmallInteger)]


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
    """A text column that holds one of an enum's values."""
    allowed = ", ".join(f"'{member.value}'" for member in values)
    return CheckConstraint(f"{column} IN ({allowed})", name=f"{column}_known")


def in_states(states: "frozenset[Any]") -> str:
    """SQL that is true in these states, in a fixed order so that migrations stay equal."""
    return f"state IN ({', '.join(sorted(repr(str(state)) for state in states))})"
