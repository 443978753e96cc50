"""Token grids in requests and responses: JSON or the binary format, chosen by media type."""

from typing import Annotated, Self

from fastapi import Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.tokenizer.errors import BodyTooLargeError, RequestInvalidError
from shared.field_errors import explain_faults
from shared.schemas.fields import ImageSize, Size
from shared.sizes import LARGEST_SIDE
from shared.token_grid import TokenGrid, TokenGridError

GRID_TYPE = "application/vnd.luminary.token-grid"
"""Media type of the binary format, `TokenGrid.to_bytes()`."""
TOKENIZER_HEADER = "Luminary-Tokenizer"
"""Response header with the fingerprint of the image tokenizer."""

SizeQuery = Annotated[Size, Query(description="WIDTHxHEIGHT in pixels, multiples of 32.")]


CellSizeQuery = Annotated[
    str,
    Query(pattern=r"^[1-9][0-9]{0,3}x[1-9][0-9]{0,3}$", description="WIDTHxHEIGHT in pixels, whole cells."),
]


def cells_of(size: str, cell: int) -> tuple[int, int]:
    """(width, height) of a size in whole cells. Raises RequestInvalidError."""
    width, height = (int(side) for side in size.split("x"))
    if width % cell or height % cell or max(width, height) > LARGEST_SIDE:
        raise RequestInvalidError(f"size: each side must be a multiple of {cell}, at most {LARGEST_SIDE}")
    return width, height


class GridBody(BaseModel):
    """A token grid in JSON."""

    model_config = ConfigDict(extra="forbid")

    height: int
    width: int
    tokens: list[int]
    """The codes, row by row."""


class KnownNoise(BaseModel):
    """The noise that a picture was probably drawn with, and where the codes lie in that picture, in cells."""

    model_config = ConfigDict(extra="forbid")

    seed: int
    image: Annotated[int, Field(ge=0)]
    rows: Annotated[int, Field(ge=1, le=LARGEST_SIDE)]
    columns: Annotated[int, Field(ge=1, le=LARGEST_SIDE)]
    row: Annotated[int, Field(ge=0)] = 0
    column: Annotated[int, Field(ge=0)] = 0


class WatermarkBody(GridBody):
    """Codes in which the watermark is searched for."""

    known: KnownNoise | None = None

    @model_validator(mode="after")
    def _lies_in_the_picture(self) -> Self:
        known = self.known
        if known and (known.row + self.height > known.rows or known.column + self.width > known.columns):
            raise ValueError("the grid does not lie in the picture")
        return self


def pixels_of(size: str) -> tuple[int, int]:
    """(width, height) of a checked size."""
    parsed = ImageSize.parse(size)
    return parsed.width, parsed.height


def grid_response(request: Request, grid: TokenGrid, tokenizer: str) -> Response:
    """The response with a grid: the binary format if the client accepts it, otherwise JSON."""
    headers = {TOKENIZER_HEADER: tokenizer}
    if GRID_TYPE in request.headers.get("accept", ""):
        return Response(grid.to_bytes(), media_type=GRID_TYPE, headers=headers)
    body = {
        "height": grid.height,
        "width": grid.width,
        "tokens": list(grid.tokens),
        "sha256": grid.sha256(),
        "tokenizer": tokenizer,
    }
    return JSONResponse(body, headers=headers)


async def read_grid(request: Request, limit: int) -> TokenGrid:
    """Read a grid in either format from a request. Raises RequestInvalidError or BodyTooLargeError."""
    body = await read_body(request, limit)
    try:
        if request.headers.get("content-type", "").startswith(GRID_TYPE):
            return TokenGrid.from_bytes(body)
        parsed = GridBody.model_validate_json(body)
        return TokenGrid(parsed.height, parsed.width, tuple(parsed.tokens))
    except TokenGridError as error:
        raise RequestInvalidError(f"the body is not a token grid: {error}") from error
    except ValidationError as error:
        detail, errors = explain_faults(error.errors(include_url=False, include_input=False))
        raise RequestInvalidError(f"the body is not a token grid: {detail}", errors) from error


async def read_watermark_body(request: Request, limit: int) -> WatermarkBody:
    """Read what is searched for. Raises RequestInvalidError or BodyTooLargeError."""
    try:
        asked = WatermarkBody.model_validate_json(await read_body(request, limit))
        TokenGrid(asked.height, asked.width, tuple(asked.tokens))
    except TokenGridError as error:
        raise RequestInvalidError(f"the body is not a token grid: {error}") from error
    except ValidationError as error:
        detail, errors = explain_faults(error.errors(include_url=False, include_input=False))
        raise RequestInvalidError(f"the body is not a token grid: {detail}", errors) from error
    return asked


async def read_body(request: Request, limit: int) -> bytes:
    """Read the whole body. Raises BodyTooLargeError as soon as it is longer than `limit` bytes."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise BodyTooLargeError(f"the body is longer than {limit} bytes")
    return bytes(body)
