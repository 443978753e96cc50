"""Draw the pictures of a request: queue its job once, wait for the end or stream, answer."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from fastapi import Request
from starlette.responses import Response

from services.api.auth.api_keys import Caller
from services.api.jobs.submit import Order, submit
from services.api.openai.images.edit_body import EditBody
from services.api.openai.images.receipt import job_of, receipt
from services.api.openai.images.responses import ImagesResponse, images_response
from services.api.openai.images.stream import PictureStream, StreamedPictures
from services.api.openai.images.wanted import Wanted
from services.api.openai.pictures.sources import picture_source
from services.api.openai.wire.retries import retry_key
from services.api.openai.wire.waiting import drawn_job
from services.api.process.gateway import Gateway
from shared.schemas.job_response import JobWarning
from shared.schemas.jobs import JobRequest

if TYPE_CHECKING:
    from services.api.events.feed import Feed


@dataclass(frozen=True)
class Asked:
    """A request of a client that is connected."""

    request: Request
    wanted: Wanted
    digest: bytes
    """`retries.body_digest` of the body: what makes a repeated request the same."""
    key: str | None
    """The Idempotency-Key, which few of these clients send."""


async def draw(gateway: Gateway, asked: Asked, job: JobRequest) -> Response:
    """The answer with the pictures, or the stream that they come in. Raises Problem."""
    caller = asked.wanted.caller
    key = await retry_key(gateway, caller, asked.request, asked.digest, asked.key)
    job_id = job_of(await submit(gateway, caller, Order(job, lambda: asked.digest, receipt), key))
    if asked.wanted.fields.stream:
        feed: Feed = asked.request.app.state.feed
        pictures = StreamedPictures(gateway, feed, asked.wanted, job_id)
        return PictureStream(feed, pictures.watch, pictures.read())
    answer = await drawn(gateway, asked, job_id)
    return Response(answer.model_dump_json(), media_type="application/json")


async def drawn(gateway: Gateway, asked: Asked, job_id: UUID) -> ImagesResponse:
    """The answer when the job has ended. Raises Problem, or ClientDisconnect."""
    wait = partial(drawn_job, asked.request, gateway, asked.wanted.caller.project_id)
    return await images_response(gateway, asked.wanted, await wait(job_id), wait)


async def sources_of(gateway: Gateway, caller: Caller, body: EditBody) -> dict[str, str]:
    """`image` and `mask` of the job. Raises Problem."""
    sources = {"image": await picture_source(gateway, caller, body.pictures[0], "image")}
    if body.mask is not None:
        sources["mask"] = await picture_source(gateway, caller, body.mask, "mask")
    return sources


def unused_pictures(body: EditBody) -> list[JobWarning]:
    """The warning that the model takes one picture, if there are more."""
    more = len(body.pictures) - 1
    words = f"The model edits one picture: the first one is used, {more} more are not."
    return [JobWarning(code="pictures_unused", param="image", message=words)] if more else []
