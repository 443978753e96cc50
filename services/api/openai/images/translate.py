"""A request for pictures becomes the request of a job; pure functions."""

from typing import Any

from pydantic import ValidationError

from services.api.openai.images.requests import PictureFields
from services.api.openai.wire.model_names import ChosenModel
from services.api.openai.wire.sizes import size_fields
from services.api.problems.validation import validation_problem
from shared.jobs import MOST_CANDIDATES
from shared.schemas.jobs import JobRequest
from shared.tasks import Task

DRAWN_PER_PICTURE = {"high": 2, "hd": 2, "xhigh": 3, "max": 4}
"""Candidates that are drawn for each picture, by quality; one for other qualities."""
PASSED_ON = ("seed", "guidance_scale", "top_k", "temperature", "negative_prompt")
"""Fields that a job has under the same name."""


def job_request(asked: PictureFields, chosen: ChosenModel, **given: str) -> JobRequest:
    """The request of the job. given: `image` and `mask` of an edit, as sources. Raises Problem."""
    task = Task.EDIT if "image" in given else Task.TEXT_TO_IMAGE
    fields: dict[str, Any] = {
        "task": task,
        "prompt": asked.prompt,
        "model": chosen.name,
        "n": asked.n,
        "best_of": best_of(asked),
        **{name: value for name in PASSED_ON if (value := getattr(asked, name)) is not None},
        **shape_fields(asked, task, chosen),
        **format_fields(asked),
        **given,
    }
    try:
        return JobRequest.model_validate(fields)
    except ValidationError as error:
        raise validation_problem(error.errors(include_url=False, include_input=False), JobRequest) from error


def best_of(asked: PictureFields) -> int | None:
    """The candidates to draw; None for as many as are wanted. Without guidance there are no scores."""
    drawn = min(MOST_CANDIDATES, asked.n * DRAWN_PER_PICTURE.get(asked.quality, 1))
    return None if drawn == asked.n or asked.guidance_scale == 1 else drawn


def shape_fields(asked: PictureFields, task: Task, chosen: ChosenModel) -> dict[str, str]:
    """`size` or `aspect_ratio`. Raises Problem."""
    if asked.aspect_ratio is not None and asked.size in (None, "", "auto"):
        return {"aspect_ratio": asked.aspect_ratio}
    return size_fields(asked.size, task, chosen.offers)


def format_fields(asked: PictureFields) -> dict[str, Any]:
    """`output_format` and `output_quality`; PNG has no quality, so a compression of it is ignored."""
    if asked.output_format in (None, "png"):
        return {}
    wanted = "jpeg" if asked.output_format == "jpg" else asked.output_format
    quality = asked.output_compression
    return {
        "output_format": wanted,
        "output_quality": None if quality is None else max(1, quality),
    }
