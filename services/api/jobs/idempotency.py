"""Idempotency-Key: a repeated request queues one job and gets the first answer again.

A request claims its key in a separate transaction, does its work, and stores its answer in the transaction
that queues the job. A claim without an answer is in flight. After IN_FLIGHT_SECONDS its gateway is presumed
dead, and the next request takes the claim over. Storing the answer requires the claim's time unchanged (a
fence), so a gateway that was only slow cannot queue a second job.
Source: draft-ietf-httpapi-idempotency-key-header-07.
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

from services.api.problems.codes import Problem, ProblemCode
from shared.job_store.clock import database_time, time_after
from shared.tables import IdempotencyRecord

IN_FLIGHT_SECONDS = 60.0
"""Longer than any request takes until its answer is stored; waiting for the job comes after that."""
ANSWER_SECONDS = 24 * 3600.0
"""Time for which an answer is stored and repeated."""
RETRY_SECONDS = "1"
LONG_TEXT = 64 * 1024
"""Texts of more characters are hashed on their own, which avoids copying them several times."""


@dataclass(frozen=True)
class Claim:
    """The right to store the answer for a key; `claimed_at` is its fencing token."""

    project_id: UUID
    key: str
    claimed_at: datetime


@dataclass(frozen=True)
class RecordedAnswer:
    """The answer to the first request with a key."""

    status: int
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    job_id: UUID | None = None
    """The job that the request queued, if it queued one."""


def request_fingerprint(method: str, path: str, body: Mapping[str, Any]) -> bytes:
    """SHA-256 of a request; the order of JSON keys and white space do not matter."""
    canonical = json.dumps(abridged(body), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{method} {path}\n{canonical}".encode()).digest()


def abridged(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with each long text (a picture in base64) replaced by its SHA-256."""
    return {
        name: hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
        if isinstance(value, str) and len(value) > LONG_TEXT
        else value
        for name, value in body.items()
    }


def claim_key(session: Session, project_id: UUID, key: str, request_sha256: bytes) -> Claim | RecordedAnswer:
    """Claim the key, or return the answer of its first request.

    Raises Problem if the key was used for another request, or the first request is still in flight.
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
    """The answer in a record. Raises Problem if the record is for another request, or has no answer yet."""
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
    return RecordedAnswer(
        record.response_status, record.response_headers, record.response_body, record.job_id
    )


def in_flight() -> Problem:
    """Problem of a request while the first one with the same key is in progress."""
    return Problem(
        ProblemCode.IDEMPOTENCY_KEY_IN_FLIGHT,
        "The first request with this Idempotency-Key is still being processed.",
        param="Idempotency-Key",
        headers={"Retry-After": RETRY_SECONDS},
    )


def held(claim: Claim) -> ColumnElement[bool]:
    """The fence: the record still belongs to this claim and has no answer."""
    return and_(
        IdempotencyRecord.project_id == claim.project_id,
        IdempotencyRecord.key == claim.key,
        IdempotencyRecord.created_at == claim.claimed_at,
        IdempotencyRecord.response_status.is_(None),
    )


def record_answer(session: Session, claim: Claim, answer: RecordedAnswer) -> None:
    """Store the answer in the transaction of the request's work.

    Raises Problem if the claim was taken over.
    """
    statement = (
        update(IdempotencyRecord)
        .where(held(claim))
        .values(
            job_id=answer.job_id,
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


def renew_key(session: Session, claim: Claim) -> None:
    """Keep the claim of a request that takes long. Raises Problem if the claim was taken over."""
    statement = update(IdempotencyRecord).where(held(claim)).values(expires_at=time_after(IN_FLIGHT_SECONDS))
    found = session.execute(
        statement.returning(IdempotencyRecord.key).execution_options(synchronize_session=False)
    )
    if found.first() is None:
        raise in_flight()


def release_key(session: Session, claim: Claim) -> None:
    """Free the key of a refused request, so that a corrected request can use it."""
    session.execute(delete(IdempotencyRecord).where(held(claim)).execution_options(synchronize_session=False))
