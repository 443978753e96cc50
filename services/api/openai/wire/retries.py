"""A client that repeats a request gets the job that its first try has queued.

OpenAI's clients send no Idempotency-Key, only `x-stainless-retry-count`: 0 with the first try. API key, path
and body of a request make an idempotency key for it. A first try forgets the answer of an earlier request
with the same key, because a client that asks twice wants two pictures; a repeated one finds it.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fastapi import Request
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from services.api.auth.api_keys import Caller
from services.api.http.prefer_wait import wait_until
from services.api.jobs.idempotency import IN_FLIGHT_SECONDS, LONG_TEXT
from services.api.openai.wire.polling import POLL_SECONDS, polls
from services.api.process.gateway import Gateway
from shared.job_store.clock import database_time, time_after
from shared.tables import IdempotencyRecord

RETRY_COUNT = "x-stainless-retry-count"
PREFIX = "openai-"
WINDOW_SECONDS = 3600.0
"""Longest time from a first try to the last repetition: the clients wait 600 s for each of three tries."""


def body_digest(path: str, body: Mapping[str, Any]) -> bytes:
    """SHA-256 of a request. Long texts and bytes, which are pictures, are hashed on their own."""
    canonical = json.dumps(digestible(body), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{path}\n{canonical}".encode("utf-8", "surrogatepass")).digest()


def digestible(value: Any) -> Any:
    """The value with the SHA-256 of each long text and of bytes in their place."""
    match value:
        case bytes():
            return hashlib.sha256(value).hexdigest()
        case str() if len(value) > LONG_TEXT:
            return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
        case dict():
            return {key: digestible(inner) for key, inner in value.items()}
        case list() | tuple():
            return [digestible(inner) for inner in value]
        case _:
            return value


def retry_count(request: Request) -> int:
    """How often the client has sent this request before; 0 if it does not say."""
    text = request.headers.get(RETRY_COUNT, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


async def retry_key(
    gateway: Gateway, caller: Caller, request: Request, digest: bytes, key: str | None
) -> str | None:
    """The idempotency key of a request; None if it must not share its job with any other.

    digest: `body_digest` of the request. key: the client's own Idempotency-Key, which is used as it is.
    """
    if key is not None:
        return key
    owner = hashlib.sha256(request.headers.get("authorization", "").encode()).digest()
    key = PREFIX + hashlib.sha256(owner + digest).hexdigest()
    is_repeated = retry_count(request) > 0
    async with gateway.database.transaction() as session:
        await session.run_sync(forget, caller.project_id, key, WINDOW_SECONDS if is_repeated else 0.0)

    async def is_settled() -> bool:
        async with gateway.database.transaction() as session:
            return not await session.run_sync(is_in_flight, caller.project_id, key)

    if not is_repeated:
        return key if await is_settled() else None  # an equal request arrived at the same moment
    await wait_until(is_settled, polls(POLL_SECONDS), IN_FLIGHT_SECONDS)
    return key


def forget(session: Session, project_id: UUID, key: str, older_than_seconds: float) -> None:
    """Remove the answer for the key if it is that old; a request in progress keeps its claim."""
    session.execute(
        delete(IdempotencyRecord)
        .where(
            IdempotencyRecord.project_id == project_id,
            IdempotencyRecord.key == key,
            IdempotencyRecord.response_status.is_not(None),
            IdempotencyRecord.created_at <= time_after(-older_than_seconds),
        )
        .execution_options(synchronize_session=False)
    )


def is_in_flight(session: Session, project_id: UUID, key: str) -> bool:
    """Whether a request with the key is in progress."""
    found = select(IdempotencyRecord.key).where(
        IdempotencyRecord.project_id == project_id,
        IdempotencyRecord.key == key,
        IdempotencyRecord.response_status.is_(None),
        IdempotencyRecord.expires_at > database_time(),
    )
    return session.scalar(found) is not None
