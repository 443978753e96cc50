"""Routes of a session's head: read, move, undo, redo."""

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from services.api.auth.bearer import CallerDep
from services.api.dependencies import GatewayDep, HeadVersion, SessionId
from services.api.http.json_bodies import body_schema, read_json
from services.api.http.query_rules import refuse_unknown_query
from services.api.jobs.responses import JSON, json_bytes
from services.api.problems.codes import ProblemCode
from services.api.problems.documents import problem_responses
from services.api.sessions.move_head import put_head, redo, undo
from services.api.sessions.repository import read_session
from services.api.sessions.requests import HeadChange
from services.api.sessions.responses import HeadResponse
from services.api.sessions.view import SessionRows, view_head_alone

router = APIRouter(
    prefix="/v1/sessions/{session_id}/head",
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
MOVED = problem_responses(ProblemCode.HEAD_MOVED)


@router.get("", response_model=HeadResponse)
async def get_head(caller: CallerDep, gateway: GatewayDep, session_id: SessionId) -> Response:
    """Read the head; its ETag can be sent as `If-Match` with a new turn or a move."""
    async with gateway.database.transaction() as session:
        rows = await session.run_sync(read_session, caller.project_id, session_id)
    return head_answer(rows, gateway.settings.gateway.public_url)


@router.put(
    "",
    response_model=HeadResponse,
    openapi_extra=body_schema(HeadChange),
    responses={
        **MOVED,
        **problem_responses(
            ProblemCode.MALFORMED_REQUEST, ProblemCode.BODY_TOO_LARGE, ProblemCode.UNSUPPORTED_MEDIA_TYPE
        ),
    },
)
async def move_to(
    request: Request,
    caller: CallerDep,
    gateway: GatewayDep,
    session_id: SessionId,
    version: HeadVersion = None,
) -> Response:
    """Make a candidate the head. A turn that still runs then no longer moves it."""
    asked = await read_json(request, HeadChange, ())
    async with gateway.database.transaction() as session:
        await session.run_sync(put_head, caller.project_id, session_id, asked.candidate, version)
        rows = await session.run_sync(read_session, caller.project_id, session_id)
    return head_answer(rows, gateway.settings.gateway.public_url)


@router.post(
    "/undo",
    response_model=HeadResponse,
    responses={**MOVED, **problem_responses(ProblemCode.NOTHING_TO_UNDO)},
)
async def post_undo(
    caller: CallerDep, gateway: GatewayDep, session_id: SessionId, version: HeadVersion = None
) -> Response:
    """Move the head to the picture that its turn started from."""
    async with gateway.database.transaction() as session:
        await session.run_sync(undo, caller.project_id, session_id, version)
        rows = await session.run_sync(read_session, caller.project_id, session_id)
    return head_answer(rows, gateway.settings.gateway.public_url)


@router.post(
    "/redo",
    response_model=HeadResponse,
    responses={**MOVED, **problem_responses(ProblemCode.NOTHING_TO_REDO)},
)
async def post_redo(
    caller: CallerDep, gateway: GatewayDep, session_id: SessionId, version: HeadVersion = None
) -> Response:
    """Move the head back to where the last undo has moved it from."""
    async with gateway.database.transaction() as session:
        await session.run_sync(redo, caller.project_id, session_id, version)
        rows = await session.run_sync(read_session, caller.project_id, session_id)
    return head_answer(rows, gateway.settings.gateway.public_url)


def head_answer(rows: SessionRows, public_url: str) -> Response:
    """The head with its version as ETag."""
    headers = {"ETag": f'"{rows.row.head_version}"'}
    return Response(json_bytes(view_head_alone(rows, public_url)), media_type=JSON, headers=headers)
