"""Do what a request asks for once, however often it is repeated with the same Idempotency-Key."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from services.api.auth.api_keys import Caller
from services.api.jobs.idempotency import Claim, RecordedAnswer, claim_key, release_key
from services.api.process.gateway import Gateway

Work = Callable[[Claim | None], Awaitable[RecordedAnswer]]
"""Does what is asked for and returns the answer, which it has recorded for the claim if there is one."""


@dataclass(frozen=True)
class FirstAnswer:
    """The answer to the first request with a key."""

    answer: RecordedAnswer
    replayed: bool
    """Whether an earlier request with the same Idempotency-Key got it."""


async def do_once(
    gateway: Gateway, caller: Caller, key: str | None, fingerprint: Callable[[], bytes], work: Work
) -> FirstAnswer:
    """Do the work, or return the answer that an earlier request with this key got. Raises Problem.

    fingerprint: computes the SHA-256 of the request; called only if there is a key.
    """
    if key is None:
        return FirstAnswer(await work(None), replayed=False)
    async with gateway.database.transaction() as session:
        claim = await session.run_sync(claim_key, caller.project_id, key, fingerprint())
    if isinstance(claim, RecordedAnswer):
        return FirstAnswer(claim, replayed=True)
    async with AsyncExitStack() as undo:
        undo.push_async_callback(release, gateway, claim)
        answer = await work(claim)
        undo.pop_all()
        return FirstAnswer(answer, replayed=False)


async def release(gateway: Gateway, claim: Claim) -> None:
    """Free the Idempotency-Key of a refused request."""
    async with gateway.database.transaction() as session:
        await session.run_sync(release_key, claim)
