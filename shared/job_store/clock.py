"""The one clock: the database's, read when a statement runs rather than when its transaction began."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, DateTime, func


def database_time() -> ColumnElement[datetime]:
    """Now."""
    return func.clock_timestamp(type_=DateTime(timezone=True))


def time_after(seconds: float) -> ColumnElement[datetime]:
    """So many seconds from now."""
    return database_time() + timedelta(seconds=seconds)
