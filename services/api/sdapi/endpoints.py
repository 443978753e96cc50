"""Routes of A1111: draw, progress, interrupt, and the lists that clients show. Unknown fields are ignored."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from services.api.auth.bearer import BasicKey, CallerDep
from services.api.auth.middleware import user_of
from services.api.dependencies import GatewayDep, IdempotencyKey
from services.api.http.json_bodies import body_schema, read_json
from services.api.jobs.endpoints import SUBMISSION_PROBLEMS
from services.api.models.repository import living_workers, models_of
from services.api.problems.codes import ProblemCode
from services.api.problems.documents import problem_responses
from services.api.sdapi.draw import draw
from services.api.sdapi.models import check_model, model_in_use
from services.api.sdapi.newest import cancel_newest, progress_of, read_newest
from services.api.sdapi.previews import Previews
from services.api.sdapi.requests import ImageToImage, Options, TextToImage
from services.api.sdapi.responses import (
    Drawn,
    Named,
    Nothing,
    OptionsInUse,
    Progress,
    Sampler,
    Scheduler,
    SdModel,
)

router = APIRouter(
    prefix="/sdapi/v1",
    tags=["sdapi"],
    dependencies=[Depends(BasicKey())],
    responses=problem_responses(
        ProblemCode.UNAUTHENTICATED, ProblemCode.PROJECT_DISABLED, ProblemCode.DATABASE_UNAVAILABLE
    ),
)
PICTURES = ("init_images", "mask")
DRAWING = problem_responses(*SUBMISSION_PROBLEMS, ProblemCode.JOB_NOT_ENDED, ProblemCode.JOB_FAILED)
OPTION_PROBLEMS = problem_responses(
    ProblemCode.MALFORMED_REQUEST,
    ProblemCode.BODY_TOO_LARGE,
    ProblemCode.UNSUPPORTED_MEDIA_TYPE,
    ProblemCode.INVALID_REQUEST,
)


@router.post("/txt2img", openapi_extra=body_schema(TextToImage), responses=DRAWING)
async def draw_text_to_image(
    request: Request, caller: CallerDep, gateway: GatewayDep, key: IdempotencyKey = None
) -> Drawn:
    """Draw pictures from a text. Answers when they are drawn."""
    return await draw(gateway, caller, request.scope, await read_json(request, TextToImage, ()), key)


@router.post("/img2img", openapi_extra=body_schema(ImageToImage), responses=DRAWING)
async def draw_image_to_image(
    request: Request, caller: CallerDep, gateway: GatewayDep, key: IdempotencyKey = None
) -> Drawn:
    """Change a picture as the prompt says. Answers when it is drawn."""
    return await draw(gateway, caller, request.scope, await read_json(request, ImageToImage, PICTURES), key)


def get_previews(request: Request) -> Previews:
    """The partial pictures of this process."""
    return request.app.state.previews


@router.get("/progress", responses=problem_responses(ProblemCode.INVALID_REQUEST))
async def get_progress(
    request: Request,
    caller: CallerDep,
    gateway: GatewayDep,
    previews: Annotated[Previews, Depends(get_previews)],
    *,
    skip_current_image: Annotated[bool, Query(description="Leave the partial picture out.")] = False,
) -> Progress:
    """Read the progress of the newest open job of this key and user name."""
    async with gateway.database.transaction() as session:
        rows = await session.run_sync(read_newest, caller.project_id, user_of(request.scope))
    wanted = rows is not None and not skip_current_image
    preview = previews.latest(caller.project_id, rows.job.id) if wanted and rows is not None else None
    return progress_of(rows, gateway.settings.gateway.public_url, preview)


@router.post("/interrupt")
async def interrupt(request: Request, caller: CallerDep, gateway: GatewayDep) -> Nothing:
    """Cancel the newest open job of this key and user name, if there is one."""
    async with gateway.database.transaction() as session:
        await session.run_sync(cancel_newest, caller.project_id, user_of(request.scope))
    return Nothing()


@router.get("/options")
async def get_options(_: CallerDep, gateway: GatewayDep) -> OptionsInUse:
    """Read the settings; `sd_model_checkpoint` is the model that draws if a request names none."""
    async with gateway.database.transaction() as session:
        workers = await session.run_sync(living_workers, gateway.settings.jobs.lease_seconds)
    return OptionsInUse(sd_model_checkpoint=model_in_use(workers))


@router.post("/options", openapi_extra=body_schema(Options), responses=OPTION_PROBLEMS)
async def post_options(request: Request, _: CallerDep, gateway: GatewayDep) -> Nothing:
    """Accept settings, which have no effect. Another model than the one in use is refused."""
    asked = await read_json(request, Options, ())
    async with gateway.database.transaction() as session:
        workers = await session.run_sync(living_workers, gateway.settings.jobs.lease_seconds)
    check_model(asked.sd_model_checkpoint, workers)
    return Nothing()


@router.get("/sd-models")
async def get_sd_models(_: CallerDep, gateway: GatewayDep) -> list[SdModel]:
    """List the models that running workers have."""
    async with gateway.database.transaction() as session:
        workers = await session.run_sync(living_workers, gateway.settings.jobs.lease_seconds)
    names = [model.id for model in models_of(workers).data]
    return [SdModel(title=name, model_name=name, filename=name) for name in names]


@router.get("/samplers")
async def get_samplers(_: CallerDep) -> list[Sampler]:
    """List the one sampler."""
    return [Sampler()]


@router.get("/schedulers")
async def get_schedulers(_: CallerDep) -> list[Scheduler]:
    """List the one scheduler."""
    return [Scheduler()]


@router.get("/upscalers")
async def get_upscalers(_: CallerDep) -> list[Named]:
    """List the upscalers: there is none, which has the name `None`."""
    return [Named()]


@router.get("/latent-upscale-modes")
async def get_latent_upscale_modes(_: CallerDep) -> list[Named]:
    """List the latent upscalers: none."""
    return []


@router.get("/sd-vae")
async def get_sd_vae(_: CallerDep) -> list[SdModel]:
    """List the image decoders to choose from: none, because each model has its own."""
    return []


@router.get("/loras")
async def get_loras(_: CallerDep) -> list[Named]:
    """List the adapters to choose from: none, because workers load them with the model."""
    return []
