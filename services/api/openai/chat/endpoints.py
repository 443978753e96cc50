"""The route of chat completions."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.api.auth.bearer import CallerDep
from services.api.dependencies import GatewayDep, IdempotencyKey
from services.api.events.endpoints import SENT
from services.api.http.json_bodies import body_schema
from services.api.jobs.endpoints import SUBMISSION_PROBLEMS
from services.api.openai.chat.answers import ChatCompletion
from services.api.openai.chat.complete import accept_completion
from services.api.openai.chat.requests import ChatRequest
from services.api.openai.chat.respond import completion_answer
from services.api.openai.wire.routing import OpenAIRoute, openai_refusals
from services.api.problems.codes import ProblemCode
from shared.links import OPENAI_PATH

ANSWERS: dict[int | str, dict[str, Any]] = {
    **openai_refusals(
        ProblemCode.UNAUTHENTICATED,
        ProblemCode.PROJECT_DISABLED,
        ProblemCode.MODEL_NOT_FOUND,
        ProblemCode.JOB_NOT_ENDED,
        ProblemCode.JOB_FAILED,
        *SUBMISSION_PROBLEMS,
    ),
    200: {
        "model": ChatCompletion,
        "description": "The answer, or with `stream` its parts as Server-Sent Events.",
        "content": {"text/event-stream": {"schema": SENT}},
    },
}
router = APIRouter(prefix=OPENAI_PATH, tags=["openai"], route_class=OpenAIRoute, responses=ANSWERS)


@router.post("/chat/completions", response_class=Response, openapi_extra=body_schema(ChatRequest))
async def create_chat_completion(
    request: Request, caller: CallerDep, gateway: GatewayDep, key: IdempotencyKey = None
) -> Response:
    """Draw what the last message of the user asks for; an earlier picture of the conversation is edited.

    Requests for titles, tags and follow-ups, which chat programs send by themselves, get a short text.
    """
    accepted = await accept_completion(request, gateway, caller, key)
    return await completion_answer(request, gateway, caller.project_id, accepted)
