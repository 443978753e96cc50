"""Partial pictures of running jobs through Redis: who watches, and the pictures themselves.

Both are hints that may be lost: without a server there are no partial pictures, and nothing else changes. A
gateway writes a key that expires while a client watches; workers decode partial pictures only of such jobs.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum, unique
from typing import ClassVar
from uuid import UUID

import redis
from pydantic import BaseModel, ConfigDict

from shared.ids import IdKind, format_id

SOCKET_SECONDS = 2.0
WATCH_SECONDS = 30
"""Time after which a job is no longer watched, unless a gateway says so again."""
PREFIX = "luminary:partial:"
EVERY_PARTIAL = f"{PREFIX}*"
"""Pattern of the channels of all jobs' partial pictures."""


@unique
class Partials(StrEnum):
    """How many partial pictures of each candidate a client wants."""

    FEW = "few"
    ALL = "all"


PICTURES = {Partials.FEW: 4, Partials.ALL: 16}
"""Most partial pictures of one candidate."""


class PartialPicture(BaseModel):
    """The upper rows of a candidate that is being drawn, as a small picture. Its JSON is published."""

    model_config: ClassVar = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    job_id: UUID
    project_id: UUID
    attempt: int
    index: int
    """Number of the candidate."""
    rows_done: int
    rows_total: int
    media_type: str
    picture: bytes
    is_among_few: bool
    """Whether clients that want few pictures get it, too."""


def watch_key(partials: Partials, kind: IdKind, watched: UUID) -> str:
    """The key that exists while a client watches a job, or all jobs of a project."""
    return f"luminary:watch:{partials}:{format_id(kind, watched)}"


class PartialChannel:
    """The worker's side. Calls raise redis.RedisError."""

    def __init__(self, redis_url: str) -> None:
        self._client = redis.Redis.from_url(
            redis_url, socket_timeout=SOCKET_SECONDS, socket_connect_timeout=SOCKET_SECONDS
        )

    def watched(self, jobs: Sequence[tuple[UUID, UUID]]) -> Mapping[UUID, Partials]:
        """The watched ones of these jobs, with the most that a client wants. jobs: (job, project)."""
        levels = [(job_id, level) for job_id, _ in jobs for level in (Partials.FEW, Partials.ALL)]
        keys = [
            [watch_key(level, IdKind.JOB, job_id), watch_key(level, IdKind.PROJECT, project_id)]
            for job_id, project_id in jobs
            for level in (Partials.FEW, Partials.ALL)
        ]
        with self._client.pipeline(transaction=False) as pipeline:
            for pair in keys:
                pipeline.exists(*pair)
            counts: list[int] = pipeline.execute()
        return {job_id: level for (job_id, level), count in zip(levels, counts, strict=True) if count}

    def send(self, partial: PartialPicture) -> None:
        """Publish a partial picture."""
        self._client.publish(f"{PREFIX}{format_id(IdKind.JOB, partial.job_id)}", partial.model_dump_json())

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
