"""The route that imports an exported session."""

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from services.api.auth.bearer import CallerDep
from services.api.dependencies import GatewayDep, IdempotencyKey
from services.api.http.query_rules import refuse_unknown_query
from services.api.jobs.responses import first_answer
from services.api.problems.codes import ProblemCode
from services.api.problems.documents import problem_responses
from services.api.sessions.import_session import ZIP, import_session, received_zip
from services.api.sessions.responses import SessionResponse
from shared.links import IMPORT_PATH

router = APIRouter(tags=["sessions"], dependencies=[Depends(refuse_unknown_query)])
BODY = {
    "requestBody": {
        "required": True,
        "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}},
    }
}
REFUSED = problem_responses(
    ProblemCode.UNAUTHENTICATED,
    ProblemCode.PROJECT_DISABLED,
    ProblemCode.REQUEST_TIMEOUT,
    ProblemCode.IDEMPOTENCY_KEY_IN_FLIGHT,
    ProblemCode.IMPORT_TOO_LARGE,
    ProblemCode.UNSUPPORTED_MEDIA_TYPE,
    ProblemCode.INVALID_REQUEST,
    ProblemCode.IMPORT_INVALID,
    ProblemCode.IDEMPOTENCY_KEY_REUSED,
    ProblemCode.DATABASE_UNAVAILABLE,
    ProblemCode.STORAGE_UNAVAILABLE,
    ProblemCode.DECODERS_BUSY,
    ProblemCode.GATEWAY_BUSY,
)


@router.post(
    IMPORT_PATH, status_code=201, response_model=SessionResponse, openapi_extra=BODY, responses=REFUSED
)
async def post_import(
    request: Request, caller: CallerDep, gateway: GatewayDep, key: IdempotencyKey = None
) -> Response:
    """Import an exported session. It gets new ids; its pictures and codes are equal bit by bit."""
    async with received_zip(request) as body:
        return first_answer(await import_session(gateway, caller, body, key))
