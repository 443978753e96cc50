"""Routes of OpenAI's images."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.api.auth.bearer import CallerDep
from services.api.dependencies import GatewayDep, IdempotencyKey
from services.api.events.endpoints import SENT
from services.api.http.json_bodies import body_schema
from services.api.jobs.endpoints import SUBMISSION_PROBLEMS
from services.api.openai.images.cut_out import check_segmentation
from services.api.openai.images.draw import Asked, draw, sources_of, unused_pictures
from services.api.openai.images.edit_body import EDIT_BODY, read_edit
from services.api.openai.images.requests import GenerationRequest, PictureFields
from services.api.openai.images.responses import ImagesResponse
from services.api.openai.images.translate import job_request
from services.api.openai.images.wanted import Wanted
from services.api.openai.wire.fields import validated
from services.api.openai.wire.json_body import read_object
from services.api.openai.wire.model_names import ChosenModel, choose_model
from services.api.openai.wire.retries import body_digest
from services.api.openai.wire.routing import OpenAIRoute, openai_refusals
from services.api.problems.codes import ProblemCode
from services.api.process.gateway import Gateway
from shared.links import OPENAI_PATH

REFUSALS: dict[int | str, dict[str, Any]] = openai_refusals(
    ProblemCode.UNAUTHENTICATED,
    ProblemCode.PROJECT_DISABLED,
    ProblemCode.MODEL_NOT_FOUND,
    ProblemCode.JOB_NOT_ENDED,
    ProblemCode.JOB_FAILED,
    ProblemCode.TOO_MANY_STREAMS,
    ProblemCode.GATEWAY_BUSY,
    *SUBMISSION_PROBLEMS,
)
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": ImagesResponse,
        "description": "The pictures; with `stream`, Server-Sent Events whose `data` OpenAI's clients know.",
        "content": {"text/event-stream": {"schema": SENT}},
    }
}
router = APIRouter(
    prefix=f"{OPENAI_PATH}/images",
    tags=["openai"],
    route_class=OpenAIRoute,
    responses={**REFUSALS, **ANSWERS},
)


@router.post("/generations", response_model=ImagesResponse, openapi_extra=body_schema(GenerationRequest))
async def create_openai_image(
    request: Request, caller: CallerDep, gateway: GatewayDep, key: IdempotencyKey = None
) -> Response:
    """Draw pictures for a prompt, and answer when they are drawn or stream them."""
    body = await read_object(request)
    fields = validated(GenerationRequest, body)
    chosen = await chosen_model(gateway, fields)
    digest = body_digest(request.url.path, body)
    wanted = Wanted(caller, "image_generation", fields)
    return await draw(gateway, Asked(request, wanted, digest, key), job_request(fields, chosen))


@router.post("/edits", response_model=ImagesResponse, openapi_extra=EDIT_BODY)
async def create_openai_edit(
    request: Request, caller: CallerDep, gateway: GatewayDep, key: IdempotencyKey = None
) -> Response:
    """Edit a picture, perhaps only where a mask allows it, and answer when it is drawn or stream it."""
    body = await read_edit(request)
    chosen = await chosen_model(gateway, body.fields)
    job = job_request(body.fields, chosen, **await sources_of(gateway, caller, body))
    wanted = Wanted(caller, "image_edit", body.fields, unused_pictures(body))
    return await draw(gateway, Asked(request, wanted, body.digest, key), job)


async def chosen_model(gateway: Gateway, fields: PictureFields) -> ChosenModel:
    """The model of a request, which must be able to do what it asks for. Raises Problem."""
    chosen = await choose_model(gateway, fields.model)
    if fields.background == "transparent":
        check_segmentation(chosen)
    return chosen
