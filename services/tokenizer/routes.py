"""The service's addresses: each reads its request, asks the service, and writes the answer."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.tokenizer.errors import RequestInvalidError
from services.tokenizer.metrics import Metrics
from services.tokenizer.service import TokenizerService
from services.tokenizer.settings import TokenizerServiceSettings
from services.tokenizer.wire import (
    GRID_TYPE,
    TOKENIZER_HEADER,
    GridBody,
    SizeQuery,
    grid_response,
    pixels_of,
    read_body,
    read_grid,
)
from shared.schemas.fields import LARGEST_SIDE, SMALLEST_SIDE

router = APIRouter()


def get_service(request: Request) -> TokenizerService:
    """The one service of this process."""
    return request.app.state.service


def get_settings(request: Request) -> TokenizerServiceSettings:
    """Its settings."""
    return request.app.state.settings


def get_metrics(request: Request) -> Metrics:
    """Its counters."""
    return request.app.state.metrics


Service = Annotated[TokenizerService, Depends(get_service)]
Limits = Annotated[TokenizerServiceSettings, Depends(get_settings)]
Fit = Annotated[
    int | None,
    Query(ge=SMALLEST_SIDE, le=LARGEST_SIDE, description="Side of the square that the best size resembles."),
]
LongestSide = Annotated[int, Query(ge=16, le=LARGEST_SIDE)]
Rows = Annotated[int, Query(ge=1, le=LARGEST_SIDE, description="Token rows of the finished picture.")]

PICTURE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            media_type: {"schema": {"type": "string", "format": "binary"}}
            for media_type in ("image/png", "image/jpeg", "image/webp")
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
    request: Request, service: Service, limits: Limits, size: SizeQuery | None = None, fit: Fit = None
) -> Response:
    """A picture's token grid, fitted to `size`, or to the best size of about `fit` x `fit` pixels."""
    if (size is None) == (fit is None):
        raise RequestInvalidError("give either size or fit")
    data = await read_body(request, limits.max_upload_bytes)
    grid = await service.encode(data, pixels_of(size) if size else fit or 0)
    return grid_response(request, grid, service.name)


@router.post("/v1/decode", openapi_extra=GRID_BODY)
async def decode(request: Request, service: Service, limits: Limits) -> Response:
    """The picture of a token grid, as PNG."""
    grid = await read_grid(request, limits.max_upload_bytes)
    return png_response(await service.decode(grid), service)


@router.post("/v1/preview", openapi_extra=GRID_BODY)
async def preview(
    request: Request, service: Service, limits: Limits, rows: Rows, longest_side: LongestSide = 256
) -> Response:
    """A small PNG of a picture whose first rows are drawn; the rest is grey."""
    grid = await read_grid(request, limits.max_upload_bytes)
    if rows < grid.height:
        raise RequestInvalidError(f"the grid has {grid.height} rows, more than the {rows} of the picture")
    return png_response(await service.preview(grid, rows, longest_side), service)


@router.post("/v1/mask", openapi_extra=PICTURE_BODY)
async def mask(request: Request, service: Service, limits: Limits, size: SizeQuery) -> JSONResponse:
    """Which cells of a mask, fitted to `size`, have white in them: rows of true and false."""
    data = await read_body(request, limits.max_upload_bytes)
    return JSONResponse({"cells": await service.mask(data, pixels_of(size))})


@router.get("/v1/model")
async def describe_model(service: Service) -> dict[str, str | int]:
    """Which codebook this is, how many codes it has, and the pixels a side of one code."""
    return {"tokenizer": service.name, "codes": service.codes, "cell": service.cell}


@router.get("/healthz")
async def health() -> dict[str, str]:
    """Whether the process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def ready(service: Service) -> dict[str, str]:
    """Whether the model is loaded: the service does not listen before it is."""
    return {"status": "ready", "tokenizer": service.name}


@router.get("/metrics")
async def metrics(counted: Annotated[Metrics, Depends(get_metrics)]) -> Response:
    """Prometheus' text format."""
    return Response(generate_latest(counted.registry), media_type=CONTENT_TYPE_LATEST)


def png_response(png: bytes, service: TokenizerService) -> Response:
    """The picture, and which codebook it was made with."""
    return Response(png, media_type="image/png", headers={TOKENIZER_HEADER: service.name})
