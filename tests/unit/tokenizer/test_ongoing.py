"""Repeated requests join work in progress; results are kept for a while; unwanted work is dropped."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from anyio.lowlevel import checkpoint

from services.tokenizer.ongoing import Ongoing, Undertaking, work_id

pytestmark = pytest.mark.anyio

SOON = 0.01


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Model:
    """Work that begins and ends when the test decides."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_start = asyncio.Event()
        self.may_end = asyncio.Event()

    def work(self, value: bytes) -> Callable[[Callable[[], None]], Coroutine[Any, Any, bytes]]:
        async def run(on_start: Callable[[], None]) -> bytes:
            await self.may_start.wait()
            self.begun += 1
            on_start()
            await self.may_end.wait()
            if value == b"bad":
                raise ValueError("bad")
            return value

        return run


def make_ongoing(**more: Any) -> Ongoing[bytes]:
    options: dict[str, Any] = {"leave_seconds": SOON, "keep_seconds": 60.0}
    return Ongoing[bytes](len, **options | more)


def staying() -> asyncio.Future[None]:
    """A client that does not disconnect."""
    return asyncio.get_running_loop().create_future()


async def gone(ongoing: Ongoing[bytes], name: str) -> None:
    """Wait until the undertaking is no longer kept."""
    while ongoing.find(name) is not None:
        await asyncio.wait({staying()}, timeout=SOON)


async def result(ongoing: Ongoing[bytes], one: Undertaking[bytes]) -> bytes:
    assert await ongoing.wait(one, None, staying())
    return ongoing.result(one)


async def test_the_same_question_joins_the_work_and_both_get_its_result() -> None:
    model, ongoing = Model(), make_ongoing()
    first = ongoing.join("a", model.work(b"1"))
    second = ongoing.join("a", model.work(b"1"))
    model.may_start.set()
    model.may_end.set()
    assert await asyncio.gather(result(ongoing, first), result(ongoing, second)) == [b"1", b"1"]
    assert await result(ongoing, ongoing.join("a", model.work(b"1"))) == b"1"
    assert model.begun == 1


async def test_an_answer_that_cannot_wait_tells_how_far_the_work_is() -> None:
    model, ongoing = Model(), make_ongoing(leave_seconds=60.0)
    one = ongoing.join("a", model.work(b"1"))
    assert not await ongoing.wait(one, 0.0, staying())
    assert (one.state, one.running_seconds) == ("queued", 0.0)
    model.may_start.set()
    while one.state == "queued":
        await checkpoint()
    assert not await ongoing.wait(one, SOON, staying())
    assert one.running_seconds > 0
    ongoing.close()


async def test_work_that_has_not_begun_is_dropped_when_its_clients_have_left() -> None:
    model, ongoing = Model(), make_ongoing()
    one = ongoing.join("a", model.work(b"1"))
    client_left = staying()
    client_left.set_result(None)
    assert not await ongoing.wait(one, None, client_left)
    await gone(ongoing, "a")
    assert one.task.cancelled()
    assert model.begun == 0


async def test_work_that_has_begun_is_finished_and_its_result_kept_for_who_asks_again() -> None:
    model, ongoing = Model(), make_ongoing()
    model.may_start.set()
    one = ongoing.join("a", model.work(b"1"))
    while not model.begun:
        await checkpoint()
    assert not await ongoing.wait(one, 0.0, staying())
    await asyncio.wait({staying()}, timeout=5 * SOON)
    model.may_end.set()
    assert await result(ongoing, ongoing.join("a", model.work(b"1"))) == b"1"
    assert model.begun == 1


async def test_a_failure_is_told_once_and_the_next_try_is_a_new_one() -> None:
    model, ongoing = Model(), make_ongoing()
    model.may_start.set()
    model.may_end.set()
    for attempt in (1, 2):
        one = ongoing.join("a", model.work(b"bad"))
        with pytest.raises(ValueError, match="bad"):
            await result(ongoing, one)
        assert model.begun == attempt


async def test_results_are_bounded_in_bytes_and_time() -> None:
    model, ongoing = Model(), make_ongoing(keep_bytes=10)
    model.may_start.set()
    model.may_end.set()
    for name in ("a", "b", "c"):
        await result(ongoing, ongoing.join(name, model.work(b"12345")))
    assert [ongoing.find(name) is not None for name in ("a", "b", "c")] == [False, True, True]

    brief = make_ongoing(keep_seconds=SOON)
    await result(brief, brief.join("a", model.work(b"1")))
    await gone(brief, "a")


def test_an_id_is_made_of_all_that_is_asked() -> None:
    assert work_id("decode", b"ab", b"c") == work_id("decode", b"ab", b"c")
    assert (
        len({work_id("decode", b"ab", b"c"), work_id("decode", b"a", b"bc"), work_id("encode", b"ab", b"c")})
        == 3
    )
