"""The models that workers offer now."""

from fastapi import APIRouter

from services.api.auth import CallerDep
from services.api.dependencies import GatewayDep
from services.api.models_reading import living_workers, models_of
from services.api.problem_documents import problem_responses
from services.api.problems import ProblemCode
from services.api.schemas import ModelList

router = APIRouter(
    prefix="/v1/models",
    tags=["models"],
    responses=problem_responses(
        ProblemCode.UNAUTHENTICATED, ProblemCode.PROJECT_DISABLED, ProblemCode.DATABASE_UNAVAILABLE
    ),
)


@router.get("")
async def get_models(_: CallerDep, gateway: GatewayDep) -> ModelList:
    """Every model that a living worker has loaded."""
    async with gateway.database.transaction() as session:
        workers = await session.run_sync(living_workers, gateway.settings.jobs.lease_seconds)
    return models_of(workers)
