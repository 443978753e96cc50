"""Sizes as OpenAI's clients send them: `auto`, or any WIDTHxHEIGHT, which becomes the nearest size."""

import re
from collections.abc import Sequence
from math import gcd, log

from services.api.jobs.admission import Offer
from services.api.jobs.aspect_ratio import sizes_of
from services.api.problems.codes import Problem, ProblemCode
from shared.pictures.crop_sizes import Size
from shared.tasks import Task

WRITTEN = re.compile(r"([1-9][0-9]{0,3})[xX]([1-9][0-9]{0,3})")
AUTO = "auto"


def size_fields(asked: str | None, task: Task, offers: Sequence[Offer]) -> dict[str, str]:
    """The fields of a job's request for a size. Raises Problem for a text that is no size.

    Empty for the model's own size, or the one that fits a given picture. While no worker runs, the aspect
    ratio is kept, and the worker that draws the job chooses the size.
    """
    if asked in (None, "", AUTO):
        return {}
    wanted = parse_size(asked)
    sizes = [size for offer in offers for size in sizes_of(offer, task)]
    if not sizes:
        common = gcd(*wanted)
        return {"aspect_ratio": f"{wanted[0] // common}:{wanted[1] // common}"}
    width, height = nearest_size(wanted, sizes)
    return {"size": f"{width}x{height}"}


def parse_size(text: str) -> Size:
    """(width, height) in pixels. Raises Problem."""
    written = WRITTEN.fullmatch(text.strip())
    if written is None:
        detail = "size: Write WIDTHxHEIGHT, for example 1024x1024, or auto."
        raise Problem(ProblemCode.INVALID_REQUEST, detail, param="size")
    return int(written[1]), int(written[2])


def nearest_size(wanted: Size, sizes: Sequence[Size]) -> Size:
    """The size whose aspect ratio is nearest to the wanted one, and among equals the nearest area."""

    def distance(size: Size) -> tuple[float, float]:
        ratio = log(size[0] / size[1]) - log(wanted[0] / wanted[1])
        area = log(size[0] * size[1]) - log(wanted[0] * wanted[1])
        return round(abs(ratio), 6), abs(area)

    return min(sizes, key=distance)
