"""Sizes as OpenAI's clients send them: `auto`, or any WIDTHxHEIGHT, which becomes the nearest size."""

import re
from collections.abc import Sequence

from services.api.jobs.admission import Offer
from services.api.jobs.nearest_size import nearest_fields
from services.api.problems.codes import Problem, ProblemCode
from shared.pictures.crop_sizes import Size
from shared.tasks import Task

WRITTEN = re.compile(r"([1-9][0-9]{0,3})[xX]([1-9][0-9]{0,3})")
AUTO = "auto"


def size_fields(asked: str | None, task: Task, offers: Sequence[Offer]) -> dict[str, str]:
    """The fields of a job's request for a size. Raises Problem for a text that is no size.

    Empty for the model's own size, or the one that fits a given picture.
    """
    return {} if asked in (None, "", AUTO) else nearest_fields(parse_size(asked), task, offers)


def parse_size(text: str) -> Size:
    """(width, height) in pixels. Raises Problem."""
    written = WRITTEN.fullmatch(text.strip())
    if written is None:
        detail = "size: Write WIDTHxHEIGHT, for example 1024x1024, or auto."
        raise Problem(ProblemCode.INVALID_REQUEST, detail, param="size")
    return int(written[1]), int(written[2])
