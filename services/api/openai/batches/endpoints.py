"""Routes of batches."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request

from services.api.auth.bearer import CallerDep
from services.api.dependencies import GatewayDep
from services.api.http.json_bodies import body_schema
from services.api.openai.batches.create import cancel_batch, create_batch
from services.api.openai.batches.repository import find_batch, list_batches, parse_batch_id
from services.api.openai.batches.schemas import BatchList, BatchRequest, BatchResponse
from services.api.openai.wire.fields import validated
from services.api.openai.wire.json_body import read_object
from services.api.openai.wire.routing import EVERYWHERE, OpenAIRoute, openai_refusals
from services.api.problems.codes import ProblemCode
from shared.links import OPENAI_PATH

router = APIRouter(
    prefix=f"{OPENAI_PATH}/batches",
    tags=["openai"],
    route_class=OpenAIRoute,
    responses=openai_refusals(
        *EVERYWHERE,
        ProblemCode.MALFORMED_REQUEST,
        ProblemCode.NOT_FOUND,
        ProblemCode.BODY_TOO_LARGE,
        ProblemCode.UNSUPPORTED_MEDIA_TYPE,
    ),
)


def get_batch_id(batch_id: Annotated[str, Path(description="The batch's id.")]) -> UUID:
    """The batch that the path names."""
    return parse_batch_id(batch_id)


BatchId = Annotated[UUID, Depends(get_batch_id)]


@router.post("", openapi_extra=body_schema(BatchRequest))
async def create_openai_batch(request: Request, caller: CallerDep, gateway: GatewayDep) -> BatchResponse:
    """Order a batch: draw all requests of a file, with low priority."""
    asked = validated(BatchRequest, await read_object(request))
    async with gateway.database.transaction() as session:
        return BatchResponse.of(await session.run_sync(create_batch, caller, asked))


@router.get("")
async def list_openai_batches(
    caller: CallerDep,
    gateway: GatewayDep,
    *,
    after: Annotated[str | None, Query(max_length=64, description="Last id of the previous page.")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> BatchList:
    """List the project's batches, newest first."""
    last = None if after is None else parse_batch_id(after, "after")
    async with gateway.reads.transaction() as session:
        batches, has_more = await session.run_sync(list_batches, caller.project_id, last, limit)
    return BatchList.of(batches, has_more=has_more)


@router.get("/{batch_id}")
async def get_openai_batch(caller: CallerDep, gateway: GatewayDep, batch_id: BatchId) -> BatchResponse:
    """Read a batch."""
    async with gateway.database.transaction() as session:
        return BatchResponse.of(await session.run_sync(find_batch, caller.project_id, batch_id))


@router.post("/{batch_id}/cancel")
async def cancel_openai_batch(caller: CallerDep, gateway: GatewayDep, batch_id: BatchId) -> BatchResponse:
    """Cancel a batch: its open jobs are cancelled, and what is done is written to its files."""
    async with gateway.database.transaction() as session:
        return BatchResponse.of(await session.run_sync(cancel_batch, caller.project_id, batch_id))
