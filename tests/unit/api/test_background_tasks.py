"""Background tasks end although a library loses a cancellation."""

import asyncio
from contextlib import suppress

import pytest

from services.api.process import background_tasks
from services.api.process.background_tasks import end_tasks


async def lose_one_cancellation(waiting: asyncio.Event) -> None:
    """Go on after the first cancellation, as a client does whose connection closes slowly."""
    waiting.set()
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    await asyncio.Event().wait()


def test_a_task_that_loses_a_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_tasks, "AGAIN_SECONDS", 0.01)

    async def run() -> asyncio.Task[None]:
        waiting = asyncio.Event()
        task = asyncio.create_task(lose_one_cancellation(waiting))
        await waiting.wait()
        await asyncio.wait_for(end_tasks([task]), 10)
        return task

    assert asyncio.run(run()).cancelled()


def test_tasks_that_have_ended_are_left_alone() -> None:
    async def run() -> None:
        ended = asyncio.Event()
        ended.set()
        task = asyncio.create_task(ended.wait())
        await task
        await end_tasks([task])
        await end_tasks([])

    asyncio.run(run())
