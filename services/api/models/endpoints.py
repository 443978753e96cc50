"""Route that lists the models that running workers offer."""

from fastapi import APIRouter, Depends

from services.api.auth.bearer import CallerDep
from services.api.dependencies import GatewayDep
from services.api.http.query_rules import refuse_unknown_query
from services.api.models.repository import living_workers, models_of
from services.api.models.schemas import ModelList
from services.api.problems.codes import ProblemCode
from services.api.problems.documents import problem_responses

router = APIRouter(
    prefix="/v1/models",
    tags=["models"],
    dependencies=[Depends(refuse_unknown_query)],
    responses=problem_responses(
        ProblemCode.UNAUTHENTICATED,
        ProblemCode.PROJECT_DISABLED,
        ProblemCode.INVALID_REQUEST,
        ProblemCode.DATABASE_UNAVAILABLE,
    ),
)


@router.get("")
async def get_models(_: CallerDep, gateway: GatewayDep) -> ModelList:
    """List the models that running workers have loaded."""
    async with gateway.database.transaction() as session:
        workers = await session.run_sync(living_workers, gateway.settings.jobs.lease_seconds)
    return models_of(workers)
