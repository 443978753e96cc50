"""Query parameters of /v1/usage: the range, the groups, and the format of the answer."""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request
from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from services.api.http.query_rules import invalid_query
from services.api.usage.schemas import Group
from shared.schemas.fields import read_time
from shared.spelling import no_such_name

LONGEST = timedelta(days=366)
USUAL = timedelta(days=30)
EARLIEST = datetime.min.replace(tzinfo=UTC)
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
NAMES = "|".join(Group)
UNWANTED = re.compile(r"\bq=0(\.0*)?$")
"""A weight that refuses a media type. Source: RFC 9110, section 12.4.2."""
CSV = "text/csv"

Format = Literal["json", "csv"]
GroupNames = Annotated[
    str, WithJsonSchema({"type": "string", "pattern": f"^({NAMES})(,({NAMES})){{0,{len(Group) - 1}}}$"})
]


def read_moment(value: Any) -> datetime:
    """The time in UTC that a text means; a day means its start. Raises PydanticCustomError."""
    if isinstance(value, str) and DAY.fullmatch(value):
        with suppress(ValueError):
            return datetime.combine(date.fromisoformat(value), time(), UTC)
    else:
        with suppress(PydanticCustomError, OverflowError):
            return read_time(value).astimezone(UTC)
    raise PydanticCustomError(
        "time_invalid",
        "Input should be a day such as 2026-03-01, or a time in RFC 3339 format with its UTC offset, such as"
        " 2026-03-01T12:00:00Z",
    )


Moment = Annotated[
    datetime,
    BeforeValidator(read_moment),
    WithJsonSchema({"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}]}),
]
"""A day, or a time with its UTC offset."""


@dataclass(frozen=True)
class Period:
    """A range of time in UTC; `end` does not belong to it."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class WantedPeriod:
    """The range as the request gives it."""

    start: datetime | None
    end: datetime | None

    def at(self, now: datetime) -> Period:
        """The range at this time. Raises Problem if it is empty or too long."""
        end = self.end or now.astimezone(UTC)
        start = self.start or usual_start(end)
        if start >= end:
            raise invalid_query("from", "range_reversed", "`from` has to be earlier than `to`.")
        if end - start > LONGEST:
            detail = f"The range from `from` to `to` may have at most {LONGEST.days} days."
            raise invalid_query("from", "range_too_long", detail)
        return Period(start, end)


def usual_start(end: datetime) -> datetime:
    """The start of the day 30 days before the end."""
    before = end - min(USUAL, end - EARLIEST)
    return before.replace(hour=0, minute=0, second=0, microsecond=0)


def get_wanted_period(
    start: Annotated[
        Moment | None,
        Query(
            alias="from",
            description="Start of the range: a day (UTC) or a time. Without it: the day 30 days before `to`.",
        ),
    ] = None,
    end: Annotated[
        Moment | None,
        Query(
            alias="to",
            description="End of the range, which does not belong to it: a day (UTC) means its start."
            f" Without it: now. The range has at most {LONGEST.days} days.",
        ),
    ] = None,
) -> WantedPeriod:
    """The range that the query names."""
    return WantedPeriod(start, end)


def get_groups(
    group_by: Annotated[
        list[GroupNames] | None,
        Query(description=f"Any of {', '.join(Group)}: repeated, or separated by commas. Without it: day."),
    ] = None,
) -> tuple[Group, ...]:
    """The groups that the query names, each once, in the order of `Group`. Raises Problem."""
    names = [name for text in group_by or [Group.DAY] for name in text.split(",")]
    for name in names:
        if name not in set(Group):
            raise invalid_query("group_by", "unknown_group", no_such_name("group", name, Group))
    return tuple(group for group in Group if group in names)


def wants_csv(
    request: Request,
    wanted: Annotated[
        Format | None,
        Query(
            alias="format",
            description="Format of the answer. Without it: CSV if the header `Accept` names"
            f" `{CSV}`, else JSON.",
        ),
    ] = None,
) -> bool:
    """Whether the answer is to be CSV."""
    if wanted is not None:
        return wanted == "csv"
    accepted = ",".join(request.headers.getlist("accept")).lower().replace(" ", "").split(",")
    return any(one.partition(";")[0] == CSV and not UNWANTED.search(one) for one in accepted)


UsagePeriod = Annotated[WantedPeriod, Depends(get_wanted_period)]
Groups = Annotated[tuple[Group, ...], Depends(get_groups)]
WantsCsv = Annotated[bool, Depends(wants_csv)]
