"""The clock of all jobs is the database's, read when a statement runs, not when its transaction began."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, DateTime, func


def database_time() -> ColumnElement[datetime]:
    """The current time."""
    return func.clock_timestamp(type_=DateTime(timezone=True))


def statement_time() -> ColumnElement[datetime]:
    """The time at which the statement began; an index can find what is due at it."""
    return func.statement_timestamp(type_=DateTime(timezone=True))


def time_after(seconds: float) -> ColumnElement[datetime]:
    """The time `seconds` from now; negative for the past."""
    return database_time() + timedelta(seconds=seconds)
