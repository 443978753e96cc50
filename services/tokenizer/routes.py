"""Routes of the tokenizer service."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from services.tokenizer.errors import RequestInvalidError
from services.tokenizer.metrics import Metrics
from services.tokenizer.ongoing import work_id
from services.tokenizer.patient_answers import PreferredWait, Work, answer_when_done
from services.tokenizer.problems import PROBLEMS
from services.tokenizer.service import TokenizerService
from services.tokenizer.settings import TokenizerServiceSettings
from services.tokenizer.watermark_searches import WatermarkSearches
from services.tokenizer.wire import (
    GRID_TYPE,
    CellSizeQuery,
    GridBody,
    SizeQuery,
    WatermarkBody,
    cells_of,
    pixels_of,
    read_body,
    read_grid,
    read_watermark_body,
)
from shared.pictures.formats import MEDIA_TYPES
from shared.pictures.mask_modes import MaskMode
from shared.problem_documents import ProblemDescription, describe_kind
from shared.schemas.image_tokenizer import ImageTokenizerModel
from shared.sizes import GRID_PIXELS, LARGEST_SIDE

router = APIRouter()


def get_service(request: Request) -> TokenizerService:
    """The tokenizer service of this process."""
    return request.app.state.service


def get_settings(request: Request) -> TokenizerServiceSettings:
    """The service's settings."""
    return request.app.state.settings


def get_metrics(request: Request) -> Metrics:
    """The service's metrics."""
    return request.app.state.metrics


def get_searches(request: Request) -> WatermarkSearches:
    """The searches for the watermark."""
    return request.app.state.searches


Service = Annotated[TokenizerService, Depends(get_service)]
Limits = Annotated[TokenizerServiceSettings, Depends(get_settings)]
Fit = Annotated[
    int | None,
    Query(
        ge=GRID_PIXELS,
        le=LARGEST_SIDE,
        description="Side of a square in pixels; the best size with about this area is chosen.",
    ),
]
LongestSide = Annotated[int, Query(ge=16, le=LARGEST_SIDE)]
Rows = Annotated[int, Query(ge=1, le=LARGEST_SIDE, description="Rows of codes of the finished picture.")]

PICTURE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in MEDIA_TYPES
        },
    }
}
GRID_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": GridBody.model_json_schema()},
            GRID_TYPE: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.post("/v1/encode", openapi_extra=PICTURE_BODY)
async def encode(
    request: Request,
    service: Service,
    limits: Limits,
    work: Work,
    *,
    size: SizeQuery | None = None,
    fit: Fit = None,
    wait: PreferredWait = None,
) -> Response:
    """Encode a picture to a token grid, fitted to `size` or the best size of about `fit` x `fit` pixels."""
    if (size is None) == (fit is None):
        raise RequestInvalidError("send either size or fit")
    data = await read_body(request, limits.max_upload_bytes)
    target = pixels_of(size) if size else fit or 0
    one = work.join(
        work_id("encode", repr(target).encode(), data), lambda started: service.encode(data, target, started)
    )
    return await answer_when_done(request, work, one, wait, service.name)


@router.post("/v1/inspect", openapi_extra=PICTURE_BODY)
async def inspect(
    request: Request, service: Service, limits: Limits, work: Work, *, size: CellSizeQuery
) -> Response:
    """Encode a picture of unknown origin, fitted to `size`, which may be any number of whole cells."""
    data = await read_body(request, limits.max_upload_bytes)
    target = cells_of(size, service.cell)
    one = work.join(
        work_id("encode", repr(target).encode(), data), lambda started: service.encode(data, target, started)
    )
    return await answer_when_done(request, work, one, None, service.name)


@router.post(
    "/v1/watermark",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": WatermarkBody.model_json_schema()}},
        }
    },
)
async def search_watermark(
    request: Request, limits: Limits, searches: Annotated[WatermarkSearches, Depends(get_searches)]
) -> JSONResponse:
    """Search codes for the noise of this installation; `log_p` is null where the noise has no secret."""
    found = await searches.search(await read_watermark_body(request, limits.max_upload_bytes))
    return JSONResponse({"log_p": found and found.log_p, "cells": found and found.cells})


@router.post("/v1/decode", openapi_extra=GRID_BODY)
async def decode(
    request: Request, service: Service, limits: Limits, work: Work, wait: PreferredWait = None
) -> Response:
    """Decode a token grid to a PNG."""
    grid = await read_grid(request, limits.max_upload_bytes)
    one = work.join(work_id("decode", grid.to_bytes()), lambda started: service.decode(grid, started))
    return await answer_when_done(request, work, one, wait, service.name)


@router.post("/v1/preview", openapi_extra=GRID_BODY)
async def preview(
    request: Request,
    service: Service,
    limits: Limits,
    work: Work,
    *,
    rows: Rows,
    longest_side: LongestSide = 256,
    wait: PreferredWait = None,
) -> Response:
    """Decode the first rows of a picture to a small PNG; the part that is not drawn yet is grey."""
    grid = await read_grid(request, limits.max_upload_bytes)
    if rows < grid.height:
        raise RequestInvalidError(f"the grid has {grid.height} rows, but the picture only {rows}")
    one = work.join(
        work_id("preview", grid.to_bytes(), repr((rows, longest_side)).encode()),
        lambda started: service.preview(grid, rows, longest_side, started),
    )
    return await answer_when_done(request, work, one, wait, service.name)


@router.get("/v1/undertakings/{name}")
async def read_work(
    request: Request, service: Service, work: Work, name: str, wait: PreferredWait = None
) -> Response:
    """Read the result of an earlier request that was answered 202; 404 if it is no longer kept."""
    one = work.find(name)
    if one is None:
        raise HTTPException(404, "There is no work with this id; send the original request again.")
    return await answer_when_done(request, work, one, wait, service.name)


@router.post("/v1/mask", openapi_extra=PICTURE_BODY)
async def mask(
    request: Request, service: Service, limits: Limits, size: SizeQuery, mode: MaskMode = MaskMode.AUTO
) -> JSONResponse:
    """Find the cells that a mask, fitted to `size`, frees: rows of booleans, and the mask's reading."""
    data = await read_body(request, limits.max_upload_bytes)
    mask = await service.mask(data, pixels_of(size), mode)
    rows = [mask.free[start : start + mask.columns] for start in range(0, mask.cells_total, mask.columns)]
    return JSONResponse({"reading": mask.reading, "cells": rows})


@router.get("/v1/model")
async def describe_model(service: Service) -> ImageTokenizerModel:
    """Describe the loaded image tokenizer."""
    return ImageTokenizerModel(
        tokenizer=service.name,
        codes=service.codes,
        cell=service.cell,
        numerics=service.numerics,
        decode_seconds_per_code=service.decode_seconds_per_code,
    )


@router.get("/healthz")
async def health() -> dict[str, str]:
    """200 while the process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def ready(service: Service) -> dict[str, str]:
    """200 when the model is loaded; the service does not listen before."""
    return {"status": "ready", "tokenizer": service.name}


@router.get("/problems")
async def list_problems() -> list[ProblemDescription]:
    """Every problem code with its cause and remedy."""
    return [describe_kind(kind, code) for code, kind in PROBLEMS.items()]


@router.get("/problems/{code}")
async def describe_problem(code: str) -> ProblemDescription:
    """One problem code with its cause and remedy; the `type` of an error response is this address."""
    if code not in PROBLEMS:
        raise HTTPException(404, "There is no such problem code.")
    return describe_kind(PROBLEMS[code], code)


@router.get("/metrics")
async def metrics(counted: Annotated[Metrics, Depends(get_metrics)]) -> Response:
    """The service's metrics in Prometheus' text format."""
    return Response(generate_latest(counted.registry), media_type=CONTENT_TYPE_LATEST)
