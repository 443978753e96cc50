"""Request and response bodies of /v1/projects."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.schemas.fields import Text, Time, WholeNumber, check_not_blank
from shared.settings import FOR_EVER, LONGEST_RETENTION

NAME = r"^[^\u0000]*[^\s\u0000][^\u0000]*$"
Name = Annotated[
    Text,
    Field(min_length=1, max_length=100, json_schema_extra={"pattern": NAME}),
    AfterValidator(check_not_blank),
]
Count = Annotated[WholeNumber, Field(ge=1, le=10**9)]
Bytes = Annotated[WholeNumber, Field(ge=1, le=2**62)]
Weight = Annotated[WholeNumber, Field(ge=1, le=1000)]
Retention = Annotated[WholeNumber, Field(ge=FOR_EVER, le=LONGEST_RETENTION)]
PROJECT_ID = "prj_00t8bh6ef7f1pv3n8q0sxghg3w"
PROJECT_EXAMPLE: dict[str, Any] = {
    "id": PROJECT_ID,
    "object": "project",
    "name": "shop",
    "status": "enabled",
    "disabled_at": None,
    "created_at": "2026-01-01T12:00:00Z",
    "weight": 3,
    "max_queued_jobs": 20,
    "max_running_jobs": None,
    "requests_per_minute": 600,
    "max_storage_bytes": None,
    "pictures_per_day": 5000,
    "retain_uploads_seconds": None,
    "retain_results_seconds": 2592000,
    "retain_previews_seconds": None,
    "retain_events_seconds": None,
    "retain_checkpoints_seconds": None,
    "fingerprints": True,
    "content_credentials": True,
}


class ProjectLimits(BaseModel):
    """Limits and retention of a project. Null: what the settings of the platform say."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    max_queued_jobs: Count | None = None
    """Waiting jobs; null: `GATEWAY_MAX_QUEUED_JOBS`."""
    max_running_jobs: Count | None = None
    """Jobs that run at the same time; null: any number."""
    requests_per_minute: Count | None = None
    """Requests of all keys together; null: any number."""
    max_storage_bytes: Bytes | None = None
    """Bytes of kept pictures; null: any number."""
    pictures_per_day: Count | None = None
    """Pictures that the jobs of a day (UTC) may ask for; null: any number."""
    retain_uploads_seconds: Retention | None = None
    """How long uploaded pictures are kept; -1: for ever; null: `RETENTION_UPLOADS_SECONDS`."""
    retain_results_seconds: Retention | None = None
    """How long files of drawn pictures are kept; their tokens stay."""
    retain_previews_seconds: Retention | None = None
    """How long thumbnails are kept."""
    retain_events_seconds: Retention | None = None
    """How long events of ended jobs are kept."""
    retain_checkpoints_seconds: Retention | None = None
    """How long saved codes of ended jobs are kept."""


class ProjectCreate(ProjectLimits):
    """A new project."""

    name: Name
    weight: Weight = 1
    """Share of the slots while several projects wait: with 3, three times as much as with 1."""
    fingerprints: bool = True
    """Whether pictures are added to the registry of fingerprints."""
    content_credentials: bool = True
    """Whether pictures are signed when they are sent."""


class ProjectChange(ProjectLimits):
    """The fields to change; what is missing stays as it is."""

    name: Name | None = None
    """A new name; null leaves the name as it is."""
    weight: Weight | None = None
    """A new weight; null leaves the weight as it is."""
    fingerprints: bool | None = None
    """Whether pictures are added to the registry of fingerprints; null leaves it as it is."""
    content_credentials: bool | None = None
    """Whether pictures are signed when they are sent; null leaves it as it is."""


class ProjectResponse(ProjectLimits):
    """A project."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [PROJECT_EXAMPLE]}, use_attribute_docstrings=True, extra="ignore"
    )

    id: str
    object: Literal["project"] = "project"
    name: str
    status: Literal["enabled", "disabled"]
    """Keys of a disabled project are refused; its jobs go on."""
    disabled_at: Time | None
    created_at: Time
    weight: int
    fingerprints: bool
    content_credentials: bool


class ProjectList(BaseModel):
    """One page of projects, newest first."""

    object: Literal["list"] = "list"
    data: list[ProjectResponse]
    has_more: bool
    next_cursor: str | None
