"""Routes of responses: create, read, follow, cancel, delete."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from services.api.auth.bearer import CallerDep
from services.api.dependencies import GatewayDep, IdempotencyKey, id_in_path
from services.api.events.endpoints import SENT
from services.api.http.json_bodies import body_schema
from services.api.jobs.endpoints import SUBMISSION_PROBLEMS
from services.api.openai.responses.create import accept_response
from services.api.openai.responses.events import BEFORE_ALL, LAST_NUMBER
from services.api.openai.responses.objects import DeletedResponse, ItemList, ResponseObject
from services.api.openai.responses.paging import After, Limit, Order, page_of, shown_items
from services.api.openai.responses.remove import cancel_response, delete_response
from services.api.openai.responses.repository import find_row, read_response
from services.api.openai.responses.requests import ResponseRequest
from services.api.openai.responses.respond import response_answer
from services.api.openai.responses.stream import stream_of, whole_response
from services.api.openai.wire.routing import EVERYWHERE, OpenAIRoute, openai_refusals
from services.api.problems.codes import ProblemCode
from shared.ids import IdKind, format_id
from shared.links import OPENAI_PATH

EVENTS = {"text/event-stream": {"schema": SENT}}
ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "model": ResponseObject,
        "description": "The response, or with `stream` its events as Server-Sent Events.",
        "content": EVENTS,
    }
}
READ = openai_refusals(ProblemCode.NOT_FOUND, ProblemCode.STORAGE_UNAVAILABLE)
router = APIRouter(
    prefix=f"{OPENAI_PATH}/responses",
    tags=["openai"],
    route_class=OpenAIRoute,
    responses=openai_refusals(*EVERYWHERE),
)


def get_response_id(
    response_id: Annotated[str, Path(description="The response's id: `resp_` and 26 characters.")],
) -> UUID:
    """The response that the path names."""
    return id_in_path(IdKind.RESPONSE, response_id)


ResponseId = Annotated[UUID, Depends(get_response_id)]


@router.post(
    "",
    response_class=Response,
    openapi_extra=body_schema(ResponseRequest),
    responses={
        **ANSWER,
        **openai_refusals(
            ProblemCode.MODEL_NOT_FOUND,
            ProblemCode.JOB_NOT_ENDED,
            ProblemCode.JOB_FAILED,
            *SUBMISSION_PROBLEMS,
        ),
    },
)
async def create_response(
    request: Request, caller: CallerDep, gateway: GatewayDep, key: IdempotencyKey = None
) -> Response:
    """Draw with the tool `image_generation`: a new picture, or an edit of the last one of the conversation.

    With `background`, the answer comes at once and is read later; with `stream`, events come as they happen.
    """
    accepted = await accept_response(request, gateway, caller, key)
    return await response_answer(request, gateway, caller.project_id, accepted)


@router.get("/{response_id}", response_class=Response, responses={**ANSWER, **READ})
async def get_response(
    request: Request,
    caller: CallerDep,
    gateway: GatewayDep,
    response_id: ResponseId,
    *,
    stream: Annotated[bool, Query(description="Whether its events are sent.")] = False,
    starting_after: Annotated[
        int, Query(ge=BEFORE_ALL, le=LAST_NUMBER, description="Only events with larger numbers.")
    ] = BEFORE_ALL,
) -> Response:
    """Read a response, or follow its events from a `sequence_number` on."""
    async with gateway.database.transaction() as session:
        answered = await session.run_sync(read_response, caller.project_id, response_id)
    if stream:
        feed = request.app.state.feed
        return stream_of(gateway, feed, caller.project_id, answered, starting_after)
    return await whole_response(gateway, answered)


@router.get("/{response_id}/input_items", responses=READ)
async def get_input_items(
    caller: CallerDep,
    gateway: GatewayDep,
    response_id: ResponseId,
    *,
    order: Order = "desc",
    after: After = None,
    limit: Limit = 20,
) -> ItemList:
    """List the input of a response; pictures are named by id."""
    async with gateway.database.transaction() as session:
        row = await session.run_sync(find_row, caller.project_id, response_id)
    return page_of(list(shown_items(row.id, row.input["items"])), order, after, limit)


@router.post(
    "/{response_id}/cancel", response_class=Response, responses={200: {"model": ResponseObject}, **READ}
)
async def post_cancel_response(caller: CallerDep, gateway: GatewayDep, response_id: ResponseId) -> Response:
    """Cancel a response that is not drawn yet. One that has ended stays as it is."""
    async with gateway.database.transaction() as session:
        answered = await session.run_sync(cancel_response, caller.project_id, response_id)
    return await whole_response(gateway, answered)


@router.delete("/{response_id}", responses=READ)
async def remove_response(caller: CallerDep, gateway: GatewayDep, response_id: ResponseId) -> DeletedResponse:
    """Delete a response, with its picture unless later ones start from it."""
    async with gateway.database.transaction() as session:
        await session.run_sync(delete_response, caller.project_id, response_id)
    return DeletedResponse(id=format_id(IdKind.RESPONSE, response_id))
