"""Routes of sessions: create, read, list, change, star, delete."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from services.api.auth.bearer import CallerDep
from services.api.dependencies import (
    CandidateId,
    GatewayDep,
    IdempotencyKey,
    IfNoneMatch,
    SessionCursor,
    SessionId,
)
from services.api.http.etags import tagged
from services.api.http.json_bodies import body_schema, read_json
from services.api.http.query_rules import refuse_unknown_query
from services.api.images.sources import FIELDS
from services.api.jobs.endpoints import REFUSED_SUBMISSIONS
from services.api.jobs.responses import JSON, first_answer, json_bytes
from services.api.problems.codes import ProblemCode
from services.api.problems.documents import problem_responses
from services.api.sessions.change import add_star, change_session, remove_star
from services.api.sessions.create import create_session
from services.api.sessions.delete import delete_session
from services.api.sessions.export import archive, expected_bytes, find_exported
from services.api.sessions.listing import SessionFilter, list_sessions
from services.api.sessions.repository import MOST_TURNS, read_tree
from services.api.sessions.requests import SessionChange, SessionRequest
from services.api.sessions.responses import SessionList, SessionResponse
from services.api.sessions.view import view_list, view_tree
from shared.schemas.fields import Time

router = APIRouter(
    prefix="/v1/sessions",
    tags=["sessions"],
    dependencies=[Depends(refuse_unknown_query)],
    responses=problem_responses(
        ProblemCode.UNAUTHENTICATED,
        ProblemCode.PROJECT_DISABLED,
        ProblemCode.INVALID_REQUEST,
        ProblemCode.DATABASE_UNAVAILABLE,
    ),
)
NOT_FOUND = problem_responses(ProblemCode.NOT_FOUND)
REFUSED_BODIES = problem_responses(
    ProblemCode.NOT_FOUND,
    ProblemCode.MALFORMED_REQUEST,
    ProblemCode.BODY_TOO_LARGE,
    ProblemCode.UNSUPPORTED_MEDIA_TYPE,
    ProblemCode.INVALID_REQUEST,
)
NO_BODY = 204
EXPECTED = "Expected-Bytes"
"""Header of an export, whose exact length is not known before its end."""
ZIP = "application/zip"
Confirm = Annotated[
    int | None, Query(ge=0, le=1_000_000, description="Number of turns that the request deletes.")
]


@router.post(
    "",
    status_code=201,
    response_model=SessionResponse,
    openapi_extra=body_schema(SessionRequest),
    responses={
        **REFUSED_SUBMISSIONS,
        202: {"model": SessionResponse, "description": "The session is created; its first turn is queued."},
    },
)
async def post_session(
    request: Request, caller: CallerDep, gateway: GatewayDep, key: IdempotencyKey = None
) -> Response:
    """Create a session: from a picture (`image`), with a first turn (`prompt`), with both, or empty."""
    asked = await read_json(request, SessionRequest, FIELDS)
    return first_answer(await create_session(gateway, caller, asked, key))


@router.get("")
async def get_sessions(
    caller: CallerDep,
    gateway: GatewayDep,
    *,
    q: Annotated[
        str | None,
        Query(min_length=1, max_length=200, pattern="^[^\u0000]*$", description="Part of a title or prompt."),
    ] = None,
    updated_after: Annotated[
        Time | None, Query(description="Only sessions that were changed after this time.")
    ] = None,
    starred: Annotated[
        bool | None, Query(description="Whether a candidate of the session has a star.")
    ] = None,
    after: SessionCursor = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> SessionList:
    """List the project's sessions, newest first."""
    wanted = SessionFilter(q, updated_after, starred)
    async with gateway.reads.transaction() as session:
        page = await session.run_sync(list_sessions, caller.project_id, wanted, after, limit)
    return view_list(page[0], gateway.settings.gateway.public_url, has_more=page[1])


@router.get("/{session_id}", response_model=SessionResponse, responses=NOT_FOUND)
async def get_session(
    caller: CallerDep,
    gateway: GatewayDep,
    session_id: SessionId,
    *,
    after: Annotated[int, Query(ge=0, le=2**53, description="`next_cursor` of the previous page.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_TURNS)] = MOST_TURNS,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Read a session with its turns. With `If-None-Match`, the answer is 304 if nothing has changed."""
    async with gateway.reads.transaction() as session:
        rows = await session.run_sync(read_tree, caller.project_id, session_id, after, limit)
    return tagged(json_bytes(view_tree(rows, gateway.settings.gateway.public_url)), if_none_match, JSON, {})


@router.patch(
    "/{session_id}",
    response_model=SessionResponse,
    openapi_extra=body_schema(SessionChange),
    responses=REFUSED_BODIES,
)
async def patch_session(
    request: Request, caller: CallerDep, gateway: GatewayDep, session_id: SessionId
) -> Response:
    """Change a session's title, note or metadata."""
    change = await read_json(request, SessionChange, ())
    async with gateway.database.transaction() as session:
        await session.run_sync(change_session, caller.project_id, session_id, change)
        rows = await session.run_sync(read_tree, caller.project_id, session_id)
    return tagged(json_bytes(view_tree(rows, gateway.settings.gateway.public_url)), None, JSON, {})


@router.delete(
    "/{session_id}",
    status_code=NO_BODY,
    responses=problem_responses(ProblemCode.NOT_FOUND, ProblemCode.CONFIRMATION_NEEDED),
)
async def remove_session(
    caller: CallerDep, gateway: GatewayDep, session_id: SessionId, confirm: Confirm = None
) -> None:
    """Delete a session with all its turns and their pictures."""
    async with gateway.database.transaction() as session:
        await session.run_sync(delete_session, caller.project_id, session_id, confirm)


@router.get(
    "/{session_id}/export",
    response_class=Response,
    responses={
        **NOT_FOUND,
        200: {
            "description": "A zip file that is made while it is sent.",
            "headers": {EXPECTED: {"description": "Its approximate size.", "schema": {"type": "integer"}}},
            "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}},
        },
    },
)
async def export_session(caller: CallerDep, gateway: GatewayDep, session_id: SessionId) -> Response:
    """Download a session: its tree, jobs, pictures and codes, and a page that shows them without a server."""
    exported = await find_exported(gateway, caller, session_id)
    headers = {
        "Content-Disposition": f'attachment; filename="{exported.tree.id}.zip"',
        EXPECTED: str(expected_bytes(exported)),
    }
    return StreamingResponse(archive(gateway, exported), media_type=ZIP, headers=headers)


@router.put("/{session_id}/stars/{candidate_id}", status_code=NO_BODY, responses=NOT_FOUND)
async def put_star(
    caller: CallerDep, gateway: GatewayDep, session_id: SessionId, candidate_id: CandidateId
) -> None:
    """Star a candidate. Repeating this has no effect."""
    async with gateway.database.transaction() as session:
        await session.run_sync(add_star, caller.project_id, session_id, candidate_id)


@router.delete("/{session_id}/stars/{candidate_id}", status_code=NO_BODY, responses=NOT_FOUND)
async def delete_star(
    caller: CallerDep, gateway: GatewayDep, session_id: SessionId, candidate_id: CandidateId
) -> None:
    """Remove a candidate's star. Repeating this has no effect."""
    async with gateway.database.transaction() as session:
        await session.run_sync(remove_star, caller.project_id, session_id, candidate_id)
