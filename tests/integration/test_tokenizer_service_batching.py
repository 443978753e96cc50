"""Requests of equal shape share a batch, and requests beyond the queue's limit are refused."""

import asyncio

import pytest
from anyio.lowlevel import checkpoint

from services.tokenizer.batching import Batcher
from services.tokenizer.errors import ServiceBusyError

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Recorder:
    """Work that doubles numbers and records its batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = asyncio.Event()
        self.go.set()

    async def double(self, items: list[int]) -> list[int]:
        self.batches.append(list(items))
        await self.go.wait()
        if 13 in items:
            raise ValueError("thirteen")
        return [2 * item for item in items]


def make_batcher(recorder: Recorder, *, max_batch: int = 4, max_waiting: int = 100) -> Batcher[int, int]:
    """A batcher with a long collection time, which only a full batch or a busy model ends early."""
    return Batcher(
        recorder.double, asyncio.Lock(), max_batch=max_batch, batch_seconds=0.05, max_waiting=max_waiting
    )


async def test_equal_shapes_run_together_and_each_caller_gets_its_own_result() -> None:
    recorder = Recorder()
    batcher = make_batcher(recorder)

    results = await asyncio.gather(*(batcher.submit("square", number) for number in range(4)))

    assert results == [0, 2, 4, 6]
    assert recorder.batches == [[0, 1, 2, 3]]


async def test_different_shapes_never_share_a_batch() -> None:
    recorder = Recorder()
    batcher = make_batcher(recorder)

    await asyncio.gather(*(batcher.submit(number % 2, number) for number in range(4)))

    assert sorted(recorder.batches) == [[0, 2], [1, 3]]


async def test_a_batch_is_never_larger_than_allowed() -> None:
    recorder = Recorder()
    batcher = make_batcher(recorder, max_batch=2)

    await asyncio.gather(*(batcher.submit("square", number) for number in range(5)))

    assert [len(batch) for batch in recorder.batches] == [2, 2, 1]


async def test_requests_that_arrive_while_the_model_is_busy_form_one_batch() -> None:
    recorder = Recorder()
    recorder.go.clear()
    batcher = make_batcher(recorder, max_batch=3)
    first = [asyncio.create_task(batcher.submit("square", number)) for number in range(3)]
    while not recorder.batches:
        await checkpoint()
    later = [asyncio.create_task(batcher.submit("square", number)) for number in (7, 8)]
    while batcher.waiting < 5:
        await checkpoint()

    recorder.go.set()
    await asyncio.gather(*first, *later)

    assert recorder.batches == [[0, 1, 2], [7, 8]]


async def test_a_request_to_a_full_queue_is_refused_with_a_time_to_retry() -> None:
    recorder = Recorder()
    recorder.go.clear()
    batcher = make_batcher(recorder, max_waiting=2)
    inside = [asyncio.create_task(batcher.submit("square", number)) for number in range(2)]
    while batcher.waiting < 2:
        await checkpoint()

    with pytest.raises(ServiceBusyError) as refused:
        await batcher.submit("square", 3)

    assert refused.value.retry_seconds >= 1
    recorder.go.set()
    assert await asyncio.gather(*inside) == [0, 2]
    assert await batcher.submit("square", 3) == 6


async def test_a_caller_that_leaves_does_not_disturb_the_others() -> None:
    recorder = Recorder()
    batcher = make_batcher(recorder, max_batch=2)
    leaving = asyncio.create_task(batcher.submit("square", 1))
    while not batcher.waiting:
        await checkpoint()
    leaving.cancel()

    assert await batcher.submit("square", 2) == 4
    assert recorder.batches == [[2]]
    assert batcher.waiting == 0


async def test_work_is_dropped_if_its_caller_leaves_before_it_starts() -> None:
    """Fixed bug: the service worked on abandoned requests, and each retry waited behind the one before it."""
    recorder = Recorder()
    recorder.go.clear()
    batcher = make_batcher(recorder, max_batch=1)
    begun: list[int] = []
    first = asyncio.create_task(batcher.submit("square", 1, lambda: begun.append(1)))
    while not recorder.batches:
        await checkpoint()
    second = asyncio.create_task(batcher.submit("square", 2, lambda: begun.append(2)))
    while batcher.waiting < 2:
        await checkpoint()
    for caller in (first, second):
        caller.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    assert batcher.waiting == 1

    recorder.go.set()
    assert await batcher.submit("square", 3, lambda: begun.append(3)) == 6
    assert recorder.batches == [[1], [3]]
    assert begun == [1, 3]
    assert batcher.waiting == 0


async def test_an_error_of_the_work_reaches_every_caller_of_the_batch_and_no_later_one() -> None:
    batcher = make_batcher(Recorder(), max_batch=2)

    results = await asyncio.gather(
        batcher.submit("square", 13), batcher.submit("square", 1), return_exceptions=True
    )

    assert [type(result) for result in results] == [ValueError, ValueError]
    assert await batcher.submit("square", 1) == 2
