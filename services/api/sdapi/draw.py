"""Draw what a request asks for, and wait for the pictures."""

import base64
from collections.abc import Sequence

from starlette.types import Scope

from services.api.auth.api_keys import Caller
from services.api.auth.middleware import user_of
from services.api.http.body_limits import body_of
from services.api.jobs.admission import Offer
from services.api.jobs.finished import read_files, succeeded
from services.api.jobs.submit import order_job, submit
from services.api.jobs.wait import read_after_wait
from services.api.models.repository import living_workers
from services.api.process.gateway import Gateway
from services.api.sdapi.info import describe, used_parameters
from services.api.sdapi.requests import TextToImage
from services.api.sdapi.responses import Drawn
from services.api.sdapi.translate import job_request


async def draw(gateway: Gateway, caller: Caller, scope: Scope, asked: TextToImage, key: str | None) -> Drawn:
    """Queue the job and return its pictures. Raises Problem. key: Idempotency-Key."""
    async with gateway.database.transaction() as session:
        workers = await session.run_sync(living_workers, gateway.settings.jobs.lease_seconds)
    offers = [worker.model for worker in workers]
    request = job_request(asked, user_of(scope), offers)
    model = asked.model or only_model(offers)
    send_images = asked.send_images
    first = await submit(gateway, caller, order_job(request, gateway.settings.gateway.public_url), key)
    if first.answer.job_id is None:
        raise RuntimeError("a job was queued without an id")
    del asked, request  # their pictures need not be in memory while the job runs
    await body_of(scope).release()
    seconds = gateway.settings.gateway.openai_wait_seconds
    rows = succeeded(await read_after_wait(gateway, caller.project_id, first.answer.job_id, seconds))
    files = await read_files(gateway, rows) if send_images else ()
    return Drawn(
        images=[base64.b64encode(file).decode() for file in files],
        parameters=used_parameters(rows),
        info=describe(rows, model).model_dump_json(),
    )


def only_model(offers: Sequence[Offer]) -> str:
    """The name of the model that all workers have; empty if they have several, or none runs."""
    names = {str(offer.get("name")) for offer in offers}
    return names.pop() if len(names) == 1 else ""
