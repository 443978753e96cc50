"""The route of usage."""

from typing import Any

from fastapi import APIRouter, Depends, Response

from services.api.auth.bearer import CallerDep
from services.api.auth.projects import WantedProject, as_reader
from services.api.dependencies import GatewayDep
from services.api.http.query_rules import refuse_unknown_query
from services.api.problems.codes import ProblemCode
from services.api.problems.documents import problem_responses
from services.api.usage.parameters import CSV, Groups, UsagePeriod, WantsCsv
from services.api.usage.repository import read_usage
from services.api.usage.schemas import EXAMPLE, UsageReport
from services.api.usage.write_csv import write_csv

router = APIRouter(
    prefix="/v1/usage",
    tags=["projects"],
    dependencies=[Depends(refuse_unknown_query)],
    responses=problem_responses(
        ProblemCode.UNAUTHENTICATED,
        ProblemCode.PROJECT_DISABLED,
        ProblemCode.INSUFFICIENT_SCOPE,
        ProblemCode.ADDRESS_NOT_ALLOWED,
        ProblemCode.NOT_FOUND,
        ProblemCode.INVALID_REQUEST,
        ProblemCode.DATABASE_UNAVAILABLE,
    ),
)
VARY = {"Vary": "Accept"}
CSV_EXAMPLE = write_csv(UsageReport.model_validate(EXAMPLE))
CSV_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"content": {CSV: {"schema": {"type": "string"}, "example": CSV_EXAMPLE}}}
}


@router.get("", response_model=UsageReport, response_model_exclude_unset=True, responses=CSV_ANSWER)
async def get_usage(
    caller: CallerDep,
    gateway: GatewayDep,
    answer: Response,
    *,
    project_id: WantedProject,
    period: UsagePeriod,
    groups: Groups,
    as_csv: WantsCsv,
) -> UsageReport | Response:
    """Sum up usage: that of the key's project, or of all projects for an `admin` key."""
    async with as_reader(caller), gateway.reads.transaction() as session:
        report = await session.run_sync(read_usage, project_id, period, groups)
    if as_csv:
        name = f"usage-{report.start.date()}-{report.end.date()}.csv"
        headers = {**VARY, "Content-Disposition": f'attachment; filename="{name}"'}
        return Response(write_csv(report), media_type=CSV, headers=headers)
    answer.headers.update(VARY)
    return report
