"""Route that says whether this installation has drawn a picture."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from services.api.auth.api_keys import Caller
from services.api.auth.bearer import optional_caller
from services.api.dependencies import GatewayDep
from services.api.http.query_rules import refuse_unknown_query
from services.api.images.upload import UPLOAD_BODY, read_upload
from services.api.problems.codes import ProblemCode
from services.api.problems.documents import problem_responses
from services.api.provenance.check import check_picture
from services.api.provenance.pace import CheckPace
from services.api.provenance.schemas import ProvenanceCheck

router = APIRouter(
    prefix="/v1/provenance",
    tags=["provenance"],
    dependencies=[Depends(refuse_unknown_query)],
    responses=problem_responses(
        ProblemCode.UNAUTHENTICATED,
        ProblemCode.PROJECT_DISABLED,
        ProblemCode.MALFORMED_REQUEST,
        ProblemCode.BODY_TOO_LARGE,
        ProblemCode.UNSUPPORTED_MEDIA_TYPE,
        ProblemCode.INVALID_REQUEST,
        ProblemCode.IMAGE_UNREADABLE,
        ProblemCode.IMAGE_TOO_LARGE,
        ProblemCode.IMAGE_TOO_COMPLEX,
        ProblemCode.DECODERS_BUSY,
        ProblemCode.IMAGE_UNAVAILABLE,
        ProblemCode.IMAGE_URL_FORBIDDEN,
        ProblemCode.TOO_MANY_CHECKS,
        ProblemCode.DATABASE_UNAVAILABLE,
    ),
)


def get_pace(request: Request) -> CheckPace:
    """How often callers of this process may check."""
    return request.app.state.check_pace


@router.post("/check", openapi_extra=UPLOAD_BODY)
async def check_provenance(
    request: Request,
    caller: Annotated[Caller | None, Depends(optional_caller)],
    gateway: GatewayDep,
    pace: Annotated[CheckPace, Depends(get_pace)],
) -> ProvenanceCheck:
    """Say whether this installation has drawn a picture, by each layer of provenance.

    Works without a key if the operator allows it. It shows nothing of other projects' pictures.
    """
    pace.take(caller.project_id if caller else client_address(request))
    return await check_picture(gateway, caller, await read_upload(request, gateway))


def client_address(request: Request) -> str:
    """The address of a caller without a key."""
    return request.client.host if request.client else ""
