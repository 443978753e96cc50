"""Batches in OpenAI's form."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from services.api.openai.wire.fields import OpenAIFields
from shared.ids import IdKind, format_id
from shared.schemas.fields import Metadata
from shared.tables import BatchState, OpenAIBatch

GENERATIONS, EDITS = "/v1/images/generations", "/v1/images/edits"
Endpoint = Literal["/v1/images/generations", "/v1/images/edits"]
OWN_ENDPOINTS = {f"/openai{endpoint}": endpoint for endpoint in (GENERATIONS, EDITS)}
"""Paths of this gateway, which mean the same."""
WINDOW = re.compile(r"([1-9]\d{0,2})([hd])")
WINDOW_SECONDS = {"h": 3600, "d": 86_400}
FILE = "file_01m8a4vqzhe2fbpdaz3zp1kwsh"


class BatchRequest(OpenAIFields):
    """The body of `POST /openai/v1/batches`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"input_file_id": FILE, "endpoint": GENERATIONS, "completion_window": "24h"}]
        }
    )

    input_file_id: Annotated[str, Field(max_length=64)]
    """An uploaded file with the purpose `batch`: a request in JSON on each line."""
    endpoint: Endpoint
    completion_window: Annotated[str, Field(pattern=f"^{WINDOW.pattern}$")] = "24h"
    """Time after which requests that are not done are given up, such as 24h or 7d."""
    metadata: Metadata = Field(default_factory=dict)

    @property
    def window_seconds(self) -> int:
        """The completion window in seconds."""
        number, unit = self.completion_window[:-1], self.completion_window[-1]
        return int(number) * WINDOW_SECONDS[unit]


class RequestCounts(BaseModel):
    """How many requests a batch has, and what became of them."""

    total: int
    completed: int
    failed: int


class BatchResponse(BaseModel):
    """A batch."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "batch_01m8a4vqzhe2fbpdaz3zp1kwsh",
                    "object": "batch",
                    "endpoint": GENERATIONS,
                    "errors": None,
                    "input_file_id": FILE,
                    "completion_window": "24h",
                    "status": "in_progress",
                    "output_file_id": None,
                    "error_file_id": None,
                    "created_at": 1767268800,
                    "in_progress_at": 1767268801,
                    "expires_at": 1767355200,
                    "finalizing_at": None,
                    "completed_at": None,
                    "failed_at": None,
                    "expired_at": None,
                    "cancelling_at": None,
                    "cancelled_at": None,
                    "request_counts": {"total": 50, "completed": 12, "failed": 0},
                    "metadata": {},
                }
            ]
        }
    )

    id: str
    object: Literal["batch"] = "batch"
    endpoint: str
    errors: dict[str, Any] | None
    input_file_id: str
    completion_window: str
    status: BatchState
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    in_progress_at: int | None
    expires_at: int
    finalizing_at: int | None
    completed_at: int | None
    failed_at: int | None
    expired_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None
    request_counts: RequestCounts
    metadata: dict[str, str]

    @classmethod
    def of(cls, batch: OpenAIBatch) -> Self:
        """The response of a row."""

        def ended(state: BatchState) -> int | None:
            return unix(batch.ended_at) if batch.state == state else None

        def file_id(value: Any) -> str | None:
            return None if value is None else format_id(IdKind.FILE, value)

        return cls(
            id=format_id(IdKind.BATCH, batch.id),
            endpoint=batch.endpoint,
            errors={"object": "list", "data": batch.errors} if batch.errors else None,
            input_file_id=format_id(IdKind.FILE, batch.input_file_id),
            completion_window=batch.completion_window,
            status=BatchState(batch.state),
            output_file_id=file_id(batch.output_file_id),
            error_file_id=file_id(batch.error_file_id),
            created_at=int(batch.created_at.timestamp()),
            in_progress_at=unix(batch.in_progress_at),
            expires_at=int(batch.expires_at.timestamp()),
            finalizing_at=unix(batch.finalizing_at),
            completed_at=ended(BatchState.COMPLETED),
            failed_at=ended(BatchState.FAILED),
            expired_at=ended(BatchState.EXPIRED),
            cancelling_at=unix(batch.cancelling_at),
            cancelled_at=ended(BatchState.CANCELLED),
            request_counts=RequestCounts(total=batch.total, completed=batch.succeeded, failed=batch.failed),
            metadata=batch.details,
        )


def unix(time: datetime | None) -> int | None:
    """Unix time in seconds."""
    return None if time is None else int(time.timestamp())


class BatchList(BaseModel):
    """One page of batches, newest first."""

    object: Literal["list"] = "list"
    data: list[BatchResponse]
    first_id: str | None
    last_id: str | None
    has_more: bool

    @classmethod
    def of(cls, batches: list[OpenAIBatch], *, has_more: bool) -> Self:
        """The page with these batches."""
        data = [BatchResponse.of(batch) for batch in batches]
        ids = [batch.id for batch in data] or [None]
        return cls(data=data, first_id=ids[0], last_id=ids[-1], has_more=has_more)


def endpoint_of(url: str) -> str:
    """The endpoint that a path means."""
    return OWN_ENDPOINTS.get(url, url)
