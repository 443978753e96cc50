"""Send the events of a response, from any number on, while its job is followed."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from uuid import UUID

from starlette.responses import Response

from services.api.events.event_stream import PING_SECONDS
from services.api.events.feed import Feed
from services.api.events.messages import PING
from services.api.events.subject import Subject
from services.api.jobs.repository import read_job
from services.api.openai.images.stream import PictureStream
from services.api.openai.images.watch import PictureWatch
from services.api.openai.pictures.answers import base64_of, picture_texts
from services.api.openai.responses.events import Event, Number, events_of, partial_event
from services.api.openai.responses.view import Answered, tool_of, view_response
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from shared.async_database import DATABASE_FAULTS
from shared.partial_pictures import PartialPicture

AGAIN_SECONDS = 1.0
"""Pause before a job is read again while the database does not answer."""


def stream_of(gateway: Gateway, feed: Feed, project_id: UUID, answered: Answered, after: int) -> Response:
    """The stream of a response's events with numbers above `after`."""
    events = ResponseEvents(gateway, feed, project_id, answered, after)
    return PictureStream(feed, events.watch, events.read())


class ResponseEvents:
    """What is sent on one stream."""

    def __init__(
        self, gateway: Gateway, feed: Feed, project_id: UUID, answered: Answered, after: int
    ) -> None:
        self._gateway, self._feed, self._project_id = gateway, feed, project_id
        self._answered, self._after = answered, after
        self.watch = PictureWatch(
            Subject(project_id, job_id=answered.id), tool_of(answered).get("partial_images") or 0
        )

    async def read(self) -> AsyncGenerator[bytes]:
        """The lines until the response has ended, or the client has to ask again."""
        deadline = time.monotonic() + self._gateway.settings.gateway.openai_wait_seconds
        while True:
            # taken before the job is read, so that a change after the read ends the wait
            taken = self.watch.take_partials()
            await self._read_job()
            result = await result_of(self._gateway, self._answered)
            for event in events_of(self._answered, result):
                if self._is_new(event):
                    yield event.line
            left = deadline - time.monotonic()
            if self._answered.has_ended or left <= 0:
                return
            async for line in self._partials(taken):
                yield line
            if not await self.watch.wait(min(left, PING_SECONDS)):
                yield PING

    async def _partials(self, taken: Sequence[tuple[int, PartialPicture]]) -> AsyncGenerator[bytes]:
        """The partial pictures that have arrived since the last look, once the call has begun."""
        for index, picture in taken:
            event = partial_event(self._answered, index, await base64_of(picture.picture))
            if self._after >= Number.CALL_GENERATING and self._is_new(event):
                yield event.line

    async def _read_job(self) -> None:
        """Read the job after the start of the feed, which tells only of what happens while it runs."""
        if self._answered.rows is None:
            return
        try:
            await self._feed.start()
            async with self._gateway.database.transaction() as session:
                rows = await session.run_sync(read_job, self._project_id, self._answered.id)
        except DATABASE_FAULTS:
            await asyncio.sleep(AGAIN_SECONDS)
            return
        self._answered = self._answered.with_job(rows)

    def _is_new(self, event: Event) -> bool:
        """Whether the client lacks the event, which is then sent."""
        is_new = event.number > self._after
        self._after = max(self._after, event.number)
        return is_new


async def result_of(gateway: Gateway, answered: Answered) -> str | None:
    """The picture in base64; None while it is not drawn, or after its file has expired."""
    rows = answered.rows
    if rows is None or not answered.has_ended or rows.job.error_code is not None or not rows.outputs:
        return None
    if rows.outputs[0].candidate.partial:
        return None  # of a canceled response
    try:
        [picture] = await picture_texts(gateway, rows, rows.outputs[:1], "b64_json")
    except Problem as problem:
        if problem.code != ProblemCode.IMAGE_EXPIRED:
            raise
        return None
    return picture["b64_json"]


async def whole_response(gateway: Gateway, answered: Answered) -> Response:
    """The response as it is now, in JSON."""
    view = view_response(answered, await result_of(gateway, answered))
    return Response(view.model_dump_json(), media_type="application/json")
