"""Routes of OpenAI's images."""

from typing import Any

from fastapi import APIRouter, Request

from services.api.auth.bearer import CallerDep
from services.api.dependencies import GatewayDep, IdempotencyKey
from services.api.http.json_bodies import body_schema
from services.api.jobs.endpoints import SUBMISSION_PROBLEMS
from services.api.openai.images.draw import Asked, queue_once
from services.api.openai.images.requests import GenerationRequest
from services.api.openai.images.responses import ImagesResponse, images_response
from services.api.openai.images.translate import job_request
from services.api.openai.wire.fields import validated
from services.api.openai.wire.json_body import read_object
from services.api.openai.wire.model_names import choose_model
from services.api.openai.wire.retries import body_digest
from services.api.openai.wire.routing import OpenAIRoute, openai_refusals
from services.api.openai.wire.waiting import drawn_job
from services.api.problems.codes import ProblemCode
from shared.links import OPENAI_PATH

REFUSALS: dict[int | str, dict[str, Any]] = openai_refusals(
    ProblemCode.UNAUTHENTICATED,
    ProblemCode.PROJECT_DISABLED,
    ProblemCode.MODEL_NOT_FOUND,
    ProblemCode.JOB_NOT_ENDED,
    ProblemCode.JOB_FAILED,
    *SUBMISSION_PROBLEMS,
)
router = APIRouter(
    prefix=f"{OPENAI_PATH}/images", tags=["openai"], route_class=OpenAIRoute, responses=REFUSALS
)


@router.post("/generations", openapi_extra=body_schema(GenerationRequest))
async def create_openai_image(
    request: Request, caller: CallerDep, gateway: GatewayDep, key: IdempotencyKey = None
) -> ImagesResponse:
    """Draw pictures for a prompt, and answer when they are drawn."""
    body = await read_object(request)
    asked = validated(GenerationRequest, body)
    job = job_request(asked, await choose_model(gateway, asked.model))
    digest = body_digest(request.url.path, body)
    job_id = await queue_once(gateway, Asked(request, caller, digest, key), job)
    rows = await drawn_job(request, gateway, caller.project_id, job_id)
    return await images_response(gateway, asked, rows, [])
