"""Routes of the models that OpenAI's clients can choose."""

from typing import Annotated, Any

from fastapi import APIRouter, Path

from services.api.auth.bearer import CallerDep
from services.api.dependencies import GatewayDep
from services.api.models.repository import living_workers
from services.api.openai.models.view import OpenAIModel, OpenAIModelList, list_models
from services.api.openai.wire.model_names import aliases
from services.api.openai.wire.routing import OpenAIRoute, openai_refusals
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from shared.links import OPENAI_PATH

router = APIRouter(
    prefix=f"{OPENAI_PATH}/models",
    tags=["openai"],
    route_class=OpenAIRoute,
    responses=openai_refusals(
        ProblemCode.UNAUTHENTICATED, ProblemCode.PROJECT_DISABLED, ProblemCode.DATABASE_UNAVAILABLE
    ),
)
NOT_FOUND: dict[int | str, dict[str, Any]] = openai_refusals(ProblemCode.NOT_FOUND)


@router.get("")
async def get_openai_models(_: CallerDep, gateway: GatewayDep) -> OpenAIModelList:
    """List the models of running workers, and the names that stand for one of them."""
    return await read_models(gateway)


@router.get("/{model}", responses=NOT_FOUND)
async def get_openai_model(
    _: CallerDep,
    gateway: GatewayDep,
    model: Annotated[str, Path(description="Name of a model, or of an alias.")],
) -> OpenAIModel:
    """Describe one model."""
    found = [known for known in (await read_models(gateway)).data if known.id == model]
    if not found:
        raise Problem(ProblemCode.NOT_FOUND, "There is no model of this name.", param="model")
    return found[0]


async def read_models(gateway: Gateway) -> OpenAIModelList:
    """The models and aliases."""
    async with gateway.database.transaction() as session:
        workers = await session.run_sync(living_workers, gateway.settings.jobs.lease_seconds)
    return list_models(workers, aliases(gateway.settings.gateway.openai_aliases))
