"""The answer with pictures, in OpenAI's form and with what Luminary adds."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from services.api.openai.images.requests import Background, PictureFields, Quality
from services.api.openai.pictures.answers import picture_texts
from services.api.openai.wire.usage import Usage, usage_of
from services.api.process.gateway import Gateway
from shared.ids import IdKind, format_id
from shared.job_view.view import JobRows
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
    warnings: list[str] = Field(default_factory=list[str])
    """What the platform did otherwise than the request says."""


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


async def images_response(
    gateway: Gateway, asked: PictureFields, rows: JobRows, warnings: list[str]
) -> ImagesResponse:
    """The answer with all pictures of a succeeded job. Raises Problem or StorageError."""
    texts = await picture_texts(gateway, rows, rows.outputs, asked.response_format)
    finished = rows.job.finished_at or rows.job.created_at
    return ImagesResponse(
        created=int(finished.timestamp()),
        data=[PictureData.model_validate(text) for text in texts],
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
