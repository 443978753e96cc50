"""Routes of conversations."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request

from services.api.auth.bearer import CallerDep
from services.api.dependencies import GatewayDep, IdempotencyKey, id_in_path
from services.api.http.json_bodies import body_schema
from services.api.jobs.endpoints import SUBMISSION_PROBLEMS
from services.api.openai.responses.conversations import (
    ConversationChange,
    ConversationRequest,
    begin_conversation,
    change_conversation,
    delete_conversation,
    read_conversation,
    read_items,
)
from services.api.openai.responses.objects import ConversationObject, DeletedResponse, ItemList
from services.api.openai.responses.paging import After, Limit, Order, page_of
from services.api.openai.wire.fields import validated
from services.api.openai.wire.json_body import read_object
from services.api.openai.wire.routing import EVERYWHERE, OpenAIRoute, openai_refusals
from services.api.problems.codes import ProblemCode
from shared.ids import IdKind, format_id
from shared.links import OPENAI_PATH

BODY = (ProblemCode.MALFORMED_REQUEST, ProblemCode.BODY_TOO_LARGE, ProblemCode.UNSUPPORTED_MEDIA_TYPE)
NOT_FOUND = openai_refusals(ProblemCode.NOT_FOUND)
router = APIRouter(
    prefix=f"{OPENAI_PATH}/conversations",
    tags=["openai"],
    route_class=OpenAIRoute,
    responses=openai_refusals(*EVERYWHERE),
)


def get_conversation_id(
    conversation_id: Annotated[str, Path(description="The conversation's id: `conv_` and 26 characters.")],
) -> UUID:
    """The session of the conversation that the path names."""
    return id_in_path(IdKind.CONVERSATION, conversation_id)


ConversationId = Annotated[UUID, Depends(get_conversation_id)]


@router.post(
    "", openapi_extra=body_schema(ConversationRequest), responses=openai_refusals(*SUBMISSION_PROBLEMS)
)
async def post_conversation(
    request: Request, caller: CallerDep, gateway: GatewayDep, key: IdempotencyKey = None
) -> ConversationObject:
    """Create a conversation: empty, or from a picture. It is a session below /v1/sessions as well."""
    return await begin_conversation(request, gateway, caller, key)


@router.get("/{conversation_id}", responses=NOT_FOUND)
async def get_conversation(
    caller: CallerDep, gateway: GatewayDep, conversation_id: ConversationId
) -> ConversationObject:
    """Read a conversation."""
    async with gateway.database.transaction() as session:
        return await session.run_sync(read_conversation, caller.project_id, conversation_id)


@router.post(
    "/{conversation_id}",
    openapi_extra=body_schema(ConversationChange),
    responses=openai_refusals(ProblemCode.NOT_FOUND, *BODY),
)
async def update_conversation(
    request: Request, caller: CallerDep, gateway: GatewayDep, conversation_id: ConversationId
) -> ConversationObject:
    """Change the labels of a conversation."""
    change = validated(ConversationChange, await read_object(request))
    async with gateway.database.transaction() as session:
        return await session.run_sync(change_conversation, caller.project_id, conversation_id, change)


@router.delete("/{conversation_id}", responses=NOT_FOUND)
async def remove_conversation(
    caller: CallerDep, gateway: GatewayDep, conversation_id: ConversationId
) -> DeletedResponse:
    """Delete a conversation with all its responses and pictures."""
    async with gateway.database.transaction() as session:
        await session.run_sync(delete_conversation, caller.project_id, conversation_id)
    return DeletedResponse(id=format_id(IdKind.CONVERSATION, conversation_id), object="conversation.deleted")


@router.get("/{conversation_id}/items", responses=NOT_FOUND)
async def get_conversation_items(
    caller: CallerDep,
    gateway: GatewayDep,
    conversation_id: ConversationId,
    *,
    order: Order = "desc",
    after: After = None,
    limit: Limit = 20,
) -> ItemList:
    """List what was asked and answered. Pictures are read with their responses."""
    async with gateway.database.transaction() as session:
        items = await session.run_sync(read_items, caller.project_id, conversation_id)
    return page_of(items, order, after, limit)
