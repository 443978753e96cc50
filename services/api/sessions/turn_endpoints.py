"""Routes of a session's turns: post, read, change, delete."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from services.api.auth.bearer import CallerDep
from services.api.dependencies import (
    GatewayDep,
    HeadVersion,
    IdempotencyKey,
    IfNoneMatch,
    PreferredWait,
    SessionId,
    TurnId,
)
from services.api.http.body_limits import body_of
from services.api.http.etags import tagged
from services.api.http.json_bodies import body_schema, read_json
from services.api.http.query_rules import refuse_unknown_query
from services.api.images.sources import FIELDS
from services.api.jobs.endpoints import REFUSED_SUBMISSIONS
from services.api.jobs.responses import JSON, first_answer, json_bytes, waited_answer
from services.api.jobs.wait import read_after_wait
from services.api.problems.codes import ProblemCode
from services.api.problems.documents import problem_responses
from services.api.sessions.change import change_turn
from services.api.sessions.delete import delete_turn
from services.api.sessions.repository import read_turn_by_id
from services.api.sessions.requests import TurnChange, TurnRequest
from services.api.sessions.responses import TurnResponse
from services.api.sessions.turns import post_turn
from services.api.sessions.view import view_turn
from shared.ids import IdKind, parse_id

router = APIRouter(
    prefix="/v1/sessions/{session_id}/turns",
    tags=["sessions"],
    dependencies=[Depends(refuse_unknown_query)],
    responses=problem_responses(
        ProblemCode.UNAUTHENTICATED,
        ProblemCode.PROJECT_DISABLED,
        ProblemCode.INVALID_REQUEST,
        ProblemCode.NOT_FOUND,
        ProblemCode.DATABASE_UNAVAILABLE,
    ),
)


@router.post(
    "",
    status_code=202,
    response_model=TurnResponse,
    openapi_extra=body_schema(TurnRequest),
    responses={**REFUSED_SUBMISSIONS, **problem_responses(ProblemCode.HEAD_MOVED)},
)
async def create_turn(
    request: Request,
    caller: CallerDep,
    gateway: GatewayDep,
    session_id: SessionId,
    *,
    version: HeadVersion = None,
    key: IdempotencyKey = None,
    wait: PreferredWait = None,
) -> Response:
    """Queue a turn below the head or below `from`; below a turn that still runs, it waits for its picture.

    With `Prefer: wait=N`, the answer comes when the turn's job has ended, or after N seconds.
    """
    asked = await read_json(request, TurnRequest, FIELDS)
    first = await post_turn(gateway, caller, session_id, asked, if_head=version, key=key)
    if wait is None or first.answer.job_id is None:
        return first_answer(first)
    await body_of(request.scope).release()  # the body is no longer in memory while the job runs
    with gateway.waits.entered(caller.project_id) as may_wait:
        if not may_wait:
            return first_answer(first)
        job = await read_after_wait(gateway, caller.project_id, first.answer.job_id, wait)
    turn_id = parse_id(IdKind.TURN, first.answer.body["id"])
    async with gateway.database.transaction() as session:
        rows = await session.run_sync(read_turn_by_id, caller.project_id, session_id, turn_id)
    turn = json_bytes(view_turn(rows, gateway.settings.gateway.public_url))
    return waited_answer(tagged(turn, None, JSON, {}), job, first, wait)


@router.get("/{turn_id}", response_model=TurnResponse)
async def get_turn(
    caller: CallerDep,
    gateway: GatewayDep,
    session_id: SessionId,
    turn_id: TurnId,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Read a turn with its job."""
    async with gateway.database.transaction() as session:
        rows = await session.run_sync(read_turn_by_id, caller.project_id, session_id, turn_id)
    return tagged(json_bytes(view_turn(rows, gateway.settings.gateway.public_url)), if_none_match, JSON, {})


@router.patch(
    "/{turn_id}",
    response_model=TurnResponse,
    openapi_extra=body_schema(TurnChange),
    responses=problem_responses(
        ProblemCode.MALFORMED_REQUEST, ProblemCode.BODY_TOO_LARGE, ProblemCode.UNSUPPORTED_MEDIA_TYPE
    ),
)
async def patch_turn(
    request: Request, caller: CallerDep, gateway: GatewayDep, session_id: SessionId, turn_id: TurnId
) -> Response:
    """Change a turn's name, note or metadata."""
    change = await read_json(request, TurnChange, ())
    async with gateway.database.transaction() as session:
        await session.run_sync(change_turn, caller.project_id, session_id, turn_id, change)
        rows = await session.run_sync(read_turn_by_id, caller.project_id, session_id, turn_id)
    return tagged(json_bytes(view_turn(rows, gateway.settings.gateway.public_url)), None, JSON, {})


@router.delete("/{turn_id}", status_code=204, responses=problem_responses(ProblemCode.CONFIRMATION_NEEDED))
async def remove_turn(
    caller: CallerDep,
    gateway: GatewayDep,
    session_id: SessionId,
    turn_id: TurnId,
    confirm: Annotated[
        int | None, Query(ge=0, le=1_000_000, description="Number of turns that the request deletes.")
    ] = None,
) -> None:
    """Delete a turn with the branch below it and their pictures."""
    async with gateway.database.transaction() as session:
        await session.run_sync(delete_turn, caller.project_id, session_id, turn_id, confirm)
