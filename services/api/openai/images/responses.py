"""The answer with pictures, in OpenAI's form and with what Luminary adds."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from services.api.images.repository import store_picture
from services.api.openai.images.cut_out import Wait, cut_out_all
from services.api.openai.images.requests import Background, PictureFields, Quality
from services.api.openai.images.wanted import Wanted
from services.api.openai.pictures.answers import base64_of, file_of, format_of, link_to, picture_texts
from services.api.openai.pictures.links import LinkedPicture
from services.api.openai.wire.usage import Usage, usage_of
from services.api.process.gateway import Gateway
from shared.ids import IdKind, format_id
from shared.job_view.view import JobRows
from shared.schemas.job_response import JobWarning
from shared.sizes import CELL_PIXELS
from shared.tasks import Task

EXAMPLE: dict[str, Any] = {
    "created": 1767268800,
    "data": [{"b64_json": "iVBORw0KGgo..."}],
    "background": "opaque",
    "output_format": "png",
    "quality": "auto",
    "size": "256x256",
    "usage": {
        "input_tokens": 12,
        "output_tokens": 1024,
        "total_tokens": 1036,
        "input_tokens_details": {"text_tokens": 12, "image_tokens": 0},
        "output_tokens_details": {"text_tokens": 0, "image_tokens": 1024},
    },
    "luminary": {
        "job_id": "job_01m8a4vqzhe2fbpdaz3zp1kwsh",
        "seed": 7,
        "model": "tiny",
        "image_ids": ["img_06bq5w3t8wxk9f4m2r7n1c0d5e"],
    },
    "warnings": [],
}


class PictureData(BaseModel):
    """One picture."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    b64_json: str | None = None
    """The file in base64."""
    url: str | None = None
    """An address of the file that is valid for an hour, without a key as well."""


class Recipe(BaseModel):
    """What Luminary adds: with it the pictures can be found, drawn again and edited."""

    job_id: str
    seed: int | None
    model: str | None
    image_ids: list[str]


class ImagesResponse(BaseModel):
    """The pictures of a request."""

    model_config = ConfigDict(use_attribute_docstrings=True, json_schema_extra={"examples": [EXAMPLE]})

    created: int
    """Unix time in seconds at which the pictures were drawn."""
    data: list[PictureData]
    background: Background
    output_format: str
    quality: Quality
    size: str
    """The true size of the first picture."""
    usage: Usage
    luminary: Recipe
    warnings: list[JobWarning] = Field(default_factory=list[JobWarning])
    """What may spoil the pictures, or was done otherwise than the request says."""


def size_of(rows: JobRows) -> str:
    """The size of the first picture."""
    image = rows.outputs[0].image
    return f"{image.width}x{image.height}"


def background_of(asked: PictureFields) -> Background:
    """The background of the answer."""
    return "opaque" if asked.background == "auto" else asked.background


def given_cells(rows: JobRows) -> int:
    """Cells of the given picture, which are in the sequence before those of the drawn one."""
    image = rows.outputs[0].image
    cells = (image.width // CELL_PIXELS) * (image.height // CELL_PIXELS)
    return cells if Task(rows.job.task).takes_image else 0


NOTHING_LEFT = JobWarning(
    code="nothing_cut_out",
    param="background",
    message="The model sees nothing in front of a background, so the picture is opaque.",
)


async def images_response(gateway: Gateway, wanted: Wanted, rows: JobRows, wait: Wait) -> ImagesResponse:
    """The answer with all pictures of a succeeded job. Raises Problem or StorageError.

    wait: for the segmentation maps that a transparent background needs.
    """
    asked = wanted.fields
    warnings = [*wanted.warnings, *(JobWarning.model_validate(warning) for warning in rows.warnings)]
    if asked.background == "transparent":
        data, is_cut = await transparent_data(gateway, wanted, rows, wait)
        warnings += [] if is_cut else [NOTHING_LEFT]
    else:
        texts = await picture_texts(gateway, rows, rows.outputs, asked.response_format)
        data = [PictureData.model_validate(text) for text in texts]
    finished = rows.job.finished_at or rows.job.created_at
    return ImagesResponse(
        created=int(finished.timestamp()),
        data=data,
        background=background_of(asked),
        output_format=rows.request.get("output_format") or "png",
        quality=asked.quality,
        size=size_of(rows),
        usage=usage_of(rows.usage, given_cells(rows)),
        luminary=Recipe(
            job_id=format_id(IdKind.JOB, rows.job.id),
            seed=rows.request.get("seed"),
            model=rows.request.get("model"),
            image_ids=[format_id(IdKind.IMAGE, output.image.id) for output in rows.outputs],
        ),
        warnings=warnings,
    )


async def transparent_data(
    gateway: Gateway, wanted: Wanted, rows: JobRows, wait: Wait
) -> tuple[list[PictureData], bool]:
    """The pictures without their backgrounds, and whether something is left of each of them.

    A picture of which nothing would be left stays opaque. Raises Problem or StorageError.
    """
    cut = await cut_out_all(gateway, wanted.caller, rows, wait)
    file_format, quality = format_of(rows)
    data: list[PictureData] = []
    for output, picture in zip(rows.outputs, cut, strict=True):
        file = picture.data if picture.kept else await file_of(gateway, output.image, file_format, quality)
        if wanted.fields.response_format == "b64_json":
            data.append(PictureData(b64_json=await base64_of(file)))
        else:
            stored = await store_picture(gateway, wanted.caller.project_id, file)
            link = LinkedPicture(wanted.caller.project_id, stored.id, file_format)
            data.append(PictureData(url=await link_to(gateway, link)))
    return data, all(picture.kept for picture in cut)
