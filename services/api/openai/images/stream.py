"""The stream of a request for pictures: partial pictures while they are drawn, then each picture.

OpenAI's Python client fails on `id:` and `retry:` lines and takes unknown events for pictures, so there are
only OpenAI's events and comments. A failure is an event with an `error` object.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from fastapi.sse import format_sse_event
from sqlalchemy import func, select
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from services.api.events.event_stream import HEADERS, PING_SECONDS
from services.api.events.feed import Feed
from services.api.events.messages import PING
from services.api.events.subject import Subject
from services.api.http.error_handlers import problem_of
from services.api.images.derivatives import MEDIA_TYPES, converted
from services.api.jobs.finished import succeeded
from services.api.jobs.repository import is_final
from services.api.jobs.wait import read_after_wait
from services.api.openai.images.responses import background_of, images_response
from services.api.openai.images.wanted import Wanted
from services.api.openai.images.watch import PictureWatch
from services.api.openai.pictures.answers import base64_of
from services.api.openai.wire.routing import as_openai
from services.api.problems.documents import describe
from services.api.process.gateway import Gateway
from shared.async_database import DATABASE_FAULTS
from shared.job_store.clock import database_time
from shared.job_view.view import JobRows
from shared.partial_pictures import PartialPicture
from shared.pictures.converting import DEFAULT_QUALITY, Conversion
from shared.schemas.jobs import OutputFormat

Json = dict[str, Any]


class PictureStream(StreamingResponse):
    """The response; its place among the open event streams is free when it ends, however it ends."""

    def __init__(self, feed: Feed, watch: PictureWatch, lines: AsyncGenerator[bytes]) -> None:
        """watch: what the stream is about, for which it takes its place."""
        self._feed, self._watch, self._lines = feed, watch, lines
        super().__init__(lines, media_type="text/event-stream", headers=HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream. Raises Problem, before anything is sent, if too many are open."""
        with self._feed.streams.entered(self._watch):
            async with aclosing(self._lines):
                await super().__call__(scope, receive, send)


class StreamedPictures:
    """What is sent on one stream."""

    def __init__(self, gateway: Gateway, feed: Feed, wanted: Wanted, job_id: UUID) -> None:
        self._gateway, self._feed, self._wanted, self._job_id = gateway, feed, wanted, job_id
        self._fields = wanted.fields
        self._project_id = wanted.caller.project_id
        subject = Subject(self._project_id, job_id=job_id)
        self.watch = PictureWatch(subject, self._fields.partial_images)

    async def read(self) -> AsyncGenerator[bytes]:
        """The lines from the first to the last."""
        seconds = self._gateway.settings.gateway.openai_wait_seconds
        try:
            async with asyncio.timeout(seconds):
                async for line in self._partials():
                    yield line
        except TimeoutError:
            pass  # the job is read once more, and its state becomes the error
        try:
            async for line in self._pictures():
                yield line
        except Exception as error:  # noqa: BLE001  (the response has begun; only an event can tell)
            yield self._failure(error)

    async def _partials(self) -> AsyncGenerator[bytes]:
        """Partial pictures and pings until the job has ended."""
        has_ended = False
        while not has_ended:
            # taken before the job is read, so that a change after the read ends the wait
            taken = self.watch.take_partials()
            has_ended = await self._has_ended()
            for index, picture in taken:
                yield await self._partial(index, picture)
            if not has_ended and not await self.watch.wait(PING_SECONDS):
                yield PING

    async def _has_ended(self) -> bool:
        try:
            await self._feed.start()
            async with self._gateway.database.transaction() as session:
                return await session.run_sync(is_final, self._project_id, self._job_id)
        except DATABASE_FAULTS:
            return False  # the next look is after the next hint or ping

    async def _partial(self, index: int, picture: PartialPicture) -> bytes:
        wanted = self._output_format
        data = picture.picture
        if MEDIA_TYPES[wanted] != picture.media_type:
            conversion = Conversion(MEDIA_TYPES[wanted], DEFAULT_QUALITY)
            data = await converted(self._gateway, self._project_id, data, conversion)
        async with self._gateway.database.transaction() as session:
            now: float = (await session.scalars(select(func.extract("epoch", database_time())))).one()
        return self._event(
            "partial_image",
            {
                "b64_json": await base64_of(data),
                "partial_image_index": index,
                "image_index": picture.index,
                "created_at": int(now),
                "size": self._fields.size or "auto",
                "quality": self._fields.quality,
                "background": background_of(self._fields),
                "output_format": wanted.value,
            },
        )

    async def _pictures(self) -> AsyncGenerator[bytes]:
        """One event for each picture. Raises Problem if the job has failed."""
        rows = await self._read(0.0, self._job_id)
        fields = self._fields.model_copy(update={"response_format": "b64_json"})
        wanted = replace(self._wanted, fields=fields)
        wait = partial(self._read, self._gateway.settings.gateway.openai_wait_seconds)
        answer = await images_response(self._gateway, wanted, rows, wait)
        shared = answer.model_dump(mode="json", exclude={"data", "created"})
        for index, picture in enumerate(answer.data):
            own = {"b64_json": picture.b64_json, "created_at": answer.created, "image_index": index}
            yield self._event("completed", {**own, **shared})

    async def _read(self, seconds: float, job_id: UUID) -> JobRows:
        return succeeded(await read_after_wait(self._gateway, self._project_id, job_id, seconds))

    @property
    def _output_format(self) -> OutputFormat:
        wanted = self._fields.output_format or "png"
        return OutputFormat("jpeg" if wanted == "jpg" else wanted)

    def _event(self, name: str, data: Json) -> bytes:
        kind = f"{self._wanted.kind}.{name}"
        return format_sse_event(event=kind, data_str=json.dumps({"type": kind, **data}))

    def _failure(self, error: Exception) -> bytes:
        problem = as_openai(problem_of(error))
        document = describe(problem, self._gateway.settings.gateway.public_url, "")
        return format_sse_event(event="error", data_str=json.dumps({"error": document.error.model_dump()}))
