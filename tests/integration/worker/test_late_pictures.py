"""A cancellation is confirmed at once in every phase; the pictures are decoded afterwards, once.

The tokenizer service of these tests delays its answers until the test opens a gate.
"""

import asyncio
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from PIL import Image as Picture
from sqlalchemy import select
from starlette.types import ASGIApp, Receive, Scope, Send

from services.tokenizer.app import create_app
from services.tokenizer.settings import TokenizerServiceSettings
from services.worker.claiming.attempts import Attempt, AttemptStoppedError, StopReason
from services.worker.claiming.errands import Errands
from shared.job_store import add_decoded, confirm_cancel, put_off_undecoded, request_cancel, take_undecoded
from shared.job_store.records import Answer, UndecodedOutput, UsageAmounts
from shared.jobs import JobState
from shared.settings import TokenizerAddress
from shared.tables import Checkpoint, UndecodedPicture, UsageRecord
from shared.token_grid import TokenGrid
from tests.support.factories import must_claim, one_picture
from tests.support.platforms.platform import PlatformUnderTest, eventually, noise, serve

LONG = {"size": "256x256", "seed": 11}


@dataclass
class Gate:
    """A tokenizer service that delays requests to some paths until `opened` is set."""

    app: ASGIApp
    held: frozenset[str]
    asked: Event = field(default_factory=Event)
    opened: Event = field(default_factory=Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") in self.held:
            self.asked.set()
            await asyncio.to_thread(self.opened.wait)
        await self.app(scope, receive, send)


@contextmanager
def gated(platform: PlatformUnderTest, *paths: str) -> Iterator[tuple[PlatformUnderTest, Gate]]:
    """The platform with a tokenizer service that delays these paths until the block ends."""
    settings = TokenizerServiceSettings(model=str(platform.model / "movqgan"), device="cpu")
    gate = Gate(create_app(settings), frozenset(paths))
    with serve(gate) as url:
        changed = platform.settings.model_copy(update={"tokenizer": TokenizerAddress(url=url)})
        try:
            yield replace(platform, settings=changed), gate
        finally:
            gate.opened.set()


def cancel(platform: PlatformUnderTest, job_id: UUID) -> None:
    with platform.database.transaction() as session:
        request_cancel(session, platform.project_id, job_id)


def undecoded(platform: PlatformUnderTest) -> list[UndecodedPicture]:
    with platform.database.transaction() as session:
        return list(session.scalars(select(UndecodedPicture)))


def images_of_usage(platform: PlatformUnderTest, job_id: UUID) -> int:
    with platform.database.transaction() as session:
        return session.get_one(UsageRecord, job_id).images


def test_a_cancel_does_not_wait_for_the_partial_picture(platform: PlatformUnderTest) -> None:
    """Fixed bug: a cancellation took as long as decoding the partial picture, 32 to 42 s."""
    with gated(platform, "/v1/decode") as (held, gate), held.working() as worker:
        job_id = held.ask(**LONG)
        eventually(lambda: held.job(job_id).tokens_done > 32, "the first row")
        cancel(held, job_id)
        job = held.finished(job_id)
        assert job.state == JobState.CANCELED
        eventually(lambda: worker.is_idle, "a free slot")
        eventually(gate.asked.is_set, "the decode of the partial picture")
        assert held.outputs(job_id) == []
        assert images_of_usage(held, job_id) == 0
        assert len(undecoded(held)) == 1
        gate.opened.set()
        [picture] = eventually(lambda: held.outputs(job_id), "the partial picture")
        assert undecoded(held) == []

    assert picture.candidate.partial
    assert picture.image.height == picture.grid.height * 8 < 256
    assert held.events(job_id) == ["queued", "started", "canceling", "canceled"]
    assert images_of_usage(held, job_id) == 1
    with held.database.transaction() as session:
        assert session.get(Checkpoint, job_id) is None


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/v1/decode", {}),
        ("/v1/encode", {"task": "edit"}),
        ("/v1/mask", {"task": "edit", "mask": True}),
    ],
)
def test_a_cancel_does_not_wait_for_a_call_to_the_tokenizer(
    platform: PlatformUnderTest, path: str, asked: dict[str, Any]
) -> None:
    with gated(platform, path) as (held, gate), held.working() as worker:
        if "task" in asked:
            asked = {**asked, "image": held.upload(noise(5))}
        if "mask" in asked:
            asked = {**asked, "mask": held.upload(noise(6))}
        job_id = held.ask(**asked)
        eventually(gate.asked.is_set, "the call")
        cancel(held, job_id)
        assert held.finished(job_id).state == JobState.CANCELED
        eventually(lambda: worker.is_idle, "a free slot")
        assert not gate.opened.is_set()
        gate.opened.set()


def test_another_worker_decodes_the_pictures_that_a_stopped_one_has_left(platform: PlatformUnderTest) -> None:
    with gated(platform, "/v1/decode") as (held, gate):
        with held.working():
            job_id = held.ask(**LONG, n=2)
            eventually(lambda: held.job(job_id).tokens_done > 128, "some rows")
            cancel(held, job_id)
            held.finished(job_id)
            eventually(gate.asked.is_set, "the decode")
            assert len(undecoded(held)) == 2
            [row] = [row for row in undecoded(held) if row.taken_by]
        assert len(undecoded(held)) == 2
        assert row.tries == 1
    with platform.working():
        eventually(lambda: not undecoded(platform), "the pictures")
    assert [picture.candidate.position for picture in platform.outputs(job_id)] == [0, 1]
    assert images_of_usage(platform, job_id) == 2


def canceled_job(platform: PlatformUnderTest) -> UUID:
    """Create a canceled job with one picture that is not decoded."""
    job_id = platform.ask()
    claimed = must_claim(platform.database)
    cancel(platform, job_id)
    late = UndecodedOutput(0, TokenGrid(1, 2, (1, 2)), {"luminary": "{}"}, None, partial=True)
    usage = UsageAmounts(images=0, prompt_tokens=5, tokens_done=2, compute_seconds=0.5)
    with platform.database.transaction() as session:
        confirm_cancel(session, claimed.lease, Answer((), usage, (late,)))
    return job_id


def test_two_workers_that_decode_the_same_picture_add_one(platform: PlatformUnderTest) -> None:
    job_id = canceled_job(platform)
    with platform.database.transaction() as session:
        first = take_undecoded(session, 60.0)
        assert first is not None
        put_off_undecoded(session, first, -1.0)
    with platform.database.transaction() as session:
        second = take_undecoded(session, 60.0)
        assert second is not None
    output = one_picture(partial=True).outputs[0]
    with platform.database.transaction() as session:
        assert not add_decoded(session, first, output)
        assert add_decoded(session, second, output)
        assert not add_decoded(session, second, output)
    assert len(platform.outputs(job_id)) == images_of_usage(platform, job_id) == 1


def test_a_picture_that_one_worker_decodes_is_not_given_to_another(platform: PlatformUnderTest) -> None:
    canceled_job(platform)
    with platform.database.transaction() as session:
        assert take_undecoded(session, 60.0) is not None
    with platform.database.transaction() as session:
        assert take_undecoded(session, 60.0) is None


def test_a_picture_of_a_canceled_job_has_the_usual_recipe(platform: PlatformUnderTest) -> None:
    with platform.working():
        whole = platform.ask(**LONG)
        platform.finished(whole)
        job_id = platform.ask(**LONG)
        eventually(lambda: platform.job(job_id).tokens_done > 32, "the first row")
        cancel(platform, job_id)
        [late] = eventually(lambda: platform.outputs(job_id), "the partial picture")

    def recipe(key: str) -> dict[str, Any]:
        opened = Picture.open(io.BytesIO(platform.storage.get(key)))
        return dict(json.loads(opened.info["luminary"]))

    [picture] = platform.outputs(whole)
    one, other = recipe(picture.image.storage_key), recipe(late.image.storage_key)
    assert {**one, "partial": True, "tokens_sha256": late.grid.sha256()} == other
    rows = late.grid.height
    assert picture.grid.rows()[:rows] == late.grid.rows()


def test_a_drain_waits_for_a_call_that_a_cancellation_abandons(platform: PlatformUnderTest) -> None:
    platform.ask()
    attempt, let_go = Attempt(must_claim(platform.database)), Event()
    attempt.stop(StopReason.DRAIN)
    let_go.set()
    assert Errands().run(attempt, lambda: let_go.wait() and "done") == "done"
    attempt.stop(StopReason.CANCEL)
    hanging = Event()
    with pytest.raises(AttemptStoppedError):
        Errands().run(attempt, hanging.wait)
    hanging.set()


def test_an_error_of_a_call_is_raised_in_the_thread_that_waits(platform: PlatformUnderTest) -> None:
    platform.ask()
    attempt = Attempt(must_claim(platform.database))
    with pytest.raises(ZeroDivisionError):
        Errands().run(attempt, lambda: 1 // 0)
