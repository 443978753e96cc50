"""Turn a validated request into the job to store; pure functions."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.api.images.sources import is_future
from services.api.problems.codes import Problem, ProblemCode
from shared.ids import IdKind, parse_id
from shared.job_store import NewJob
from shared.noise_keys import SECRET_NAME, WATERMARK_SEEDS
from shared.pictures.masks import MaskRecord
from shared.problem_documents import FieldError
from shared.schemas.jobs import JobRequest
from shared.seeds import CHOSEN_SEED_LIMIT


def choose_seed(noises: Iterable[object] = ()) -> int:
    """Choose a random seed for a request without one.

    noises: the noise's part of the numerics identities of running workers. If it has a secret, the seed is
    one of those that a detector of the watermark can try.
    """
    has_secret = any(isinstance(noise, str) and SECRET_NAME.fullmatch(noise) for noise in noises)
    return secrets.randbelow(WATERMARK_SEEDS if has_secret else CHOSEN_SEED_LIMIT)


def complete_request(request: JobRequest, seed: int) -> JobRequest:
    """The request with a seed, and with deadlines in UTC. Raises Problem for a deadline out of range."""
    return request.model_copy(
        update={
            "seed": seed if request.seed is None else request.seed,
            "start_by": in_utc("start_by", request.start_by),
            "finish_by": in_utc("finish_by", request.finish_by),
        }
    )


def check_shape(request: JobRequest) -> None:
    """Raise Problem if a client's request has both a size and an aspect ratio.

    A stored request may have both, because the size was chosen for the ratio.
    """
    if request.size is not None and request.aspect_ratio is not None:
        detail = "aspect_ratio: Send either size or aspect_ratio, not both."
        error = FieldError(param="aspect_ratio", code="size_and_ratio", message=detail)
        raise Problem(ProblemCode.INVALID_REQUEST, detail, param="aspect_ratio", errors=[error])


def invalid(param: str, detail: str) -> Problem:
    """Problem of one field."""
    return Problem(ProblemCode.INVALID_REQUEST, f"{param}: {detail}", param=param)


def in_utc(name: str, time: datetime | None) -> datetime | None:
    """The time in UTC. Raises Problem if it is then outside the years 1 to 9999."""
    try:
        return None if time is None else time.astimezone(UTC)
    except OverflowError as error:
        raise invalid(name, "The time is outside the years 1 to 9999.") from error


def new_job(
    project_id: UUID,
    request: JobRequest,
    max_failures: int,
    mask: MaskRecord | None = None,
    *,
    api_key_id: UUID | None = None,
    warnings: Sequence[Mapping[str, Any]] = (),
    retry_of: UUID | None = None,
    replay_of: UUID | None = None,
) -> NewJob:
    """The row to insert for a completed request."""
    return NewJob(
        project_id=project_id,
        queue=request.queue,
        task=request.task.value,
        request=request.model_dump(mode="json"),
        mask=None if mask is None else asdict(mask),
        max_failures=max_failures,
        candidates=request.n,
        priority=request.priority,
        start_by=request.start_by,
        finish_by=request.finish_by,
        model=request.model,
        numerics=request.numerics,
        retry_of=retry_of,
        replay_of=replay_of,
        warnings=warnings,
        parent=parse_id(IdKind.JOB, request.image) if request.image and is_future(request.image) else None,
        api_key_id=api_key_id,
    )
