"""Idempotency-Key: the same request twice has one effect and one answer.

A request claims its key in a transaction of its own, then works, then stores its answer in the transaction of
its effect. A claim without an answer is in flight; one that is older than its time belongs to a gateway that
died, and the next request takes it over. The answer is fenced by the claim's time, so that the one presumed
dead cannot have an effect as well. Source: draft-ietf-httpapi-idempotency-key-header-07.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.api.problems import Problem, ProblemCode
from shared.job_store.clock import database_time, time_after
from shared.tables import IdempotencyRecord

IN_FLIGHT_SECONDS = 60.0
"""Longer than a request can take before it has its answer; waiting for the job comes after that."""
ANSWER_SECONDS = 24 * 3600.0
"""How long an answer is repeated."""
RETRY_SECONDS = "1"


@dataclass(frozen=True)
class Claim:
    """The right to answer the key's first request; `claimed_at` is its fencing token."""

    project_id: UUID
    key: str
    claimed_at: datetime


@dataclass(frozen=True)
class RecordedAnswer:
    """What the first request was answered."""

    status: int
    headers: Mapping[str, str]
    body: Mapping[str, Any]


def request_fingerprint(method: str, path: str, body: Mapping[str, Any]) -> bytes:
    """SHA-256 of what is asked; the order of keys and white space do not count."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{method} {path}\n{canonical}".encode()).digest()


def claim_key(session: Session, project_id: UUID, key: str, request_sha256: bytes) -> Claim | RecordedAnswer:
    """Claim the key, or get the answer of its first request.

    Raises Problem: another request has the key, or the first one has no answer yet.
    """
    fresh = {
        "request_sha256": request_sha256,
        "created_at": database_time(),
        "expires_at": time_after(IN_FLIGHT_SECONDS),
    }
    emptied = dict.fromkeys(("job_id", "response_status", "response_headers", "response_body"), null())
    claimed_at = session.scalar(
        insert(IdempotencyRecord)
        .values(project_id=project_id, key=key, **fresh)
        .on_conflict_do_update(
            index_elements=[IdempotencyRecord.project_id, IdempotencyRecord.key],
            set_={**fresh, **emptied},
            where=IdempotencyRecord.expires_at <= database_time(),
        )
        .returning(IdempotencyRecord.created_at)
    )
    if claimed_at is not None:
        return Claim(project_id, key, claimed_at)
    record = session.scalars(
        select(IdempotencyRecord).where(
            IdempotencyRecord.project_id == project_id, IdempotencyRecord.key == key
        )
    ).first()
    return recorded_answer(record, request_sha256)


def recorded_answer(record: IdempotencyRecord | None, request_sha256: bytes) -> RecordedAnswer:
    """The answer of the request that has the key. Raises Problem when there is none for this request."""
    if record is None:  # released between two statements: the first request was refused a moment ago
        raise in_flight()
    if record.request_sha256 != request_sha256:
        raise Problem(
            ProblemCode.IDEMPOTENCY_KEY_REUSED,
            "This Idempotency-Key was used for another request.",
            param="Idempotency-Key",
        )
    if record.response_status is None or record.response_headers is None or record.response_body is None:
        raise in_flight()
    return RecordedAnswer(record.response_status, record.response_headers, record.response_body)


def in_flight() -> Problem:
    """The refusal of a request whose twin is still at work."""
    return Problem(
        ProblemCode.IDEMPOTENCY_KEY_IN_FLIGHT,
        "The first request with this Idempotency-Key is still being answered.",
        param="Idempotency-Key",
        headers={"Retry-After": RETRY_SECONDS},
    )


def held(claim: Claim) -> ColumnElement[bool]:
    """The fence: the record as this claim left it."""
    return and_(
        IdempotencyRecord.project_id == claim.project_id,
        IdempotencyRecord.key == claim.key,
        IdempotencyRecord.created_at == claim.claimed_at,
        IdempotencyRecord.response_status.is_(None),
    )


def record_answer(session: Session, claim: Claim, job_id: UUID, answer: RecordedAnswer) -> None:
    """Store the answer in the transaction of its effect. Raises Problem when the claim was taken over."""
    statement = (
        update(IdempotencyRecord)
        .where(held(claim))
        .values(
            job_id=job_id,
            response_status=answer.status,
            response_headers=dict(answer.headers),
            response_body=dict(answer.body),
            expires_at=time_after(ANSWER_SECONDS),
        )
        .returning(IdempotencyRecord.key)
        .execution_options(synchronize_session=False)
    )
    if session.execute(statement).first() is None:
        raise in_flight()


def release_key(session: Session, claim: Claim) -> None:
    """Free the key of a request that was refused: nothing happened, so a corrected one may use it."""
    session.execute(delete(IdempotencyRecord).where(held(claim)).execution_options(synchronize_session=False))
