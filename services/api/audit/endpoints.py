"""Routes of the audit log."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from services.api.audit.repository import AuditFilter, list_entries
from services.api.audit.schemas import AuditLog
from services.api.auth.bearer import CallerDep
from services.api.auth.projects import WantedProject, as_reader
from services.api.dependencies import GatewayDep, Limit, cursor_of, id_filter
from services.api.http.query_rules import refuse_unknown_query
from services.api.problems.codes import ProblemCode
from services.api.problems.documents import problem_responses
from shared.ids import IdKind

router = APIRouter(
    prefix="/v1/audit_log",
    tags=["projects"],
    dependencies=[Depends(refuse_unknown_query)],
    responses=problem_responses(
        ProblemCode.UNAUTHENTICATED,
        ProblemCode.PROJECT_DISABLED,
        ProblemCode.INSUFFICIENT_SCOPE,
        ProblemCode.INVALID_REQUEST,
        ProblemCode.DATABASE_UNAVAILABLE,
    ),
)
AuditText = Annotated[str | None, Query(max_length=200, pattern=r"^[^\u0000]*$")]


@router.get("", responses=problem_responses(ProblemCode.NOT_FOUND))
async def get_audit_log(
    caller: CallerDep,
    gateway: GatewayDep,
    *,
    project_id: WantedProject,
    api_key_id: Annotated[UUID | None, Depends(id_filter("api_key_id", IdKind.API_KEY))],
    action: AuditText = None,
    target: AuditText = None,
    after: Annotated[UUID | None, Depends(cursor_of(IdKind.AUDIT_ENTRY))],
    limit: Limit = 20,
) -> AuditLog:
    """List changes, newest first: those of the key's project, or of all projects for an `admin` key."""
    wanted = AuditFilter(project_id, api_key_id, action, target)
    async with as_reader(caller), gateway.reads.transaction() as session:
        return await session.run_sync(list_entries, wanted, after, limit)
