"""Response body of /v1/usage."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.schemas.fields import Time


class Group(StrEnum):
    """A property by which usage is grouped, in the order of the answer's fields."""

    DAY = "day"
    PROJECT = "project"
    API_KEY = "api_key"
    TASK = "task"
    MODEL = "model"


FIELDS: Mapping[Group, str] = {
    Group.DAY: "day",
    Group.PROJECT: "project_id",
    Group.API_KEY: "api_key_id",
    Group.TASK: "task",
    Group.MODEL: "model",
}
"""The field of a row that has the value of a group."""
AMOUNTS = ("jobs", "images", "prompt_tokens", "tokens_done", "compute_seconds")
EXAMPLE: dict[str, Any] = {
    "object": "usage",
    "from": "2026-03-01T00:00:00Z",
    "to": "2026-04-01T00:00:00Z",
    "group_by": ["day", "model"],
    "data": [
        {
            "day": "2026-03-01",
            "model": "tiny",
            "jobs": 2,
            "images": 3,
            "prompt_tokens": 84,
            "tokens_done": 27648,
            "compute_seconds": 89.1,
        },
        {
            "day": "2026-03-02",
            "model": None,
            "jobs": 1,
            "images": 1,
            "prompt_tokens": 42,
            "tokens_done": 9216,
            "compute_seconds": 29.7,
        },
    ],
}


class UsageRow(BaseModel):
    """Usage of the jobs that are alike in the groups of the request. Other groups' fields are absent."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    day: date | None = None
    """The day (UTC) on which the jobs ended."""
    project_id: str | None = None
    api_key_id: str | None = None
    """The key that submitted the jobs; it may be deleted. Null for jobs from before this was recorded."""
    task: str | None = None
    model: str | None = None
    """The model that drew the jobs. Null for jobs from before this was recorded."""
    jobs: int
    images: int
    prompt_tokens: int
    tokens_done: int
    compute_seconds: float
    """The sum of each job's seconds, which are rounded to microseconds before they are added."""


class UsageReport(BaseModel):
    """Usage in a range of time. A job counts at the time at which it ended."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [EXAMPLE]},
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    object: Literal["usage"]
    start: Annotated[Time, Field(alias="from")]
    """Start of the range."""
    end: Annotated[Time, Field(alias="to")]
    """End of the range, which does not belong to it."""
    group_by: list[Group]
    data: list[UsageRow]
    """One row for each combination of groups with any usage, ordered by them."""
