"""The manifest of an exported session: what only an import needs, and hashes of all files."""

from hashlib import sha256
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.ids import IdKind, id_pattern
from shared.pictures.masks import MaskRecord
from shared.tables import Image, ImageOrigin, ImageTokens

MANIFEST, SESSION, CODES, PAGE = "manifest.json", "session.json", "codes.json", "index.html"
FORMAT: Final = "luminary.session"
VERSION: Final = 1
LARGEST_NUMBER = 2**31 - 1

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
GIVEN = ("image", "mask", "keep_from")
"""Fields of a job's request that name pictures."""

PublicImageId = Annotated[str, StringConstraints(pattern=f"^{id_pattern(IdKind.IMAGE)}$")]
Count = Annotated[int, Field(ge=0, le=LARGEST_NUMBER)]
Side = Annotated[int, Field(ge=1, le=65_535)]


class ExportedPicture(BaseModel):
    """A picture that the session refers to."""

    image_id: PublicImageId
    file: Annotated[str, Field(max_length=100)] | None
    """Path in the zip file; null if the picture's file was deleted before the export."""
    origin: ImageOrigin
    media_type: Literal["image/png", "image/jpeg", "image/webp", "image/gif"]
    sha256: Sha256
    byte_size: Annotated[int, Field(ge=1, le=LARGEST_NUMBER)]
    width: Side
    height: Side


class ExportedGrid(BaseModel):
    """A grid of codes of a picture, as `codes.json` lists it; a picture's first one has its drawn codes."""

    image_id: PublicImageId
    file: Annotated[str, Field(max_length=200)]
    tokenizer: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
    width: Side
    height: Side
    sha256: Sha256
    certainty: Sha256 | None = None
    """SHA-256 of the certainty of each cell, in a file of its own; null if it is unknown."""


class Manifest(BaseModel):
    """`manifest.json`, the last file of an export."""

    model_config = ConfigDict(allow_inf_nan=False)

    format: Literal["luminary.session"]
    version: Literal[1]
    files: Annotated[dict[str, Sha256], Field(max_length=65_535)]
    """SHA-256 of every other file, by path."""
    pictures: Annotated[list[ExportedPicture], Field(max_length=65_535)]
    masks: dict[str, MaskRecord]
    """Masks of edits in cells, by job id."""
    undone: Annotated[list[str], Field(max_length=1000)]
    """Candidates to which redo returns, the last one at the end."""
    last_number: Count
    """Number of the newest turn, which may have been deleted."""


def describe_picture(image: Image, image_id: str, file: str | None) -> ExportedPicture:
    """A picture in the manifest."""
    return ExportedPicture.model_validate(
        {
            "image_id": image_id,
            "file": file,
            "origin": image.origin,
            "media_type": image.media_type,
            "sha256": image.sha256.hex(),
            "byte_size": image.byte_size,
            "width": image.width,
            "height": image.height,
        }
    )


def describe_grid(grid: ImageTokens, image_id: str) -> ExportedGrid:
    """A grid in `codes.json`."""
    return ExportedGrid(
        image_id=image_id,
        file=grid_name(image_id, grid.tokenizer, grid.width, grid.height),
        tokenizer=grid.tokenizer,
        width=grid.width,
        height=grid.height,
        sha256=grid.sha256.hex(),
        certainty=None if grid.certainty is None else sha256(grid.certainty).hexdigest(),
    )


def grid_name(image_id: str, tokenizer: str, width: int, height: int) -> str:
    """Path of a grid in the zip file; an uploaded picture may have grids of several sizes."""
    return f"codes/{image_id}-{tokenizer}-{width}x{height}.grid"


def certainty_name(grid_file: str) -> str:
    """Path of the certainty of a grid's cells."""
    return f"{grid_file.removesuffix('.grid')}.certainty"


def picture_name(file: str) -> str:
    """Path of a picture in the zip file."""
    return f"pictures/{file}"


def job_name(job_id: str) -> str:
    """Path of a job in the zip file."""
    return f"jobs/{job_id}.json"
