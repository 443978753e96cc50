"""What living workers could draw: a request that none of them can do is refused before it waits in a queue.

Pure; `models_reading` has the rows. While no worker lives, everything is taken: one will come, and judge.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from services.api.problems import Problem, ProblemCode
from shared.schemas.fields import ImageSize
from shared.schemas.jobs import REQUIRED, JobRequest, Task

Offer = Mapping[str, Any]
"""What a worker tells of its model (`workers.model`)."""


def check_offers(offers: Sequence[Offer], request: JobRequest) -> None:
    """Raise Problem when workers live and none of them has the model, or none can draw the size."""
    fitting = [offer for offer in offers if request.model in (None, offer.get("name"))]
    if offers and not fitting:
        names = ", ".join(sorted({str(offer.get("name")) for offer in offers}))
        raise Problem(
            ProblemCode.MODEL_UNAVAILABLE,
            f"model: no worker has {request.model!r}; there is {names}.",
            param="model",
        )
    limits = [int(offer["largest_side"]) for offer in fitting if "largest_side" in offer]
    if limits and request.size is not None:
        check_size(request.task, ImageSize.parse(request.size), max(limits))


def check_size(task: Task, size: ImageSize, largest_side: int) -> None:
    """Raise Problem for a picture that is larger than the model's grid.

    For a task that is given a picture, the model sees one of twice the height: the given panel above its own.
    """
    panels = 2 if "image" in REQUIRED[task] else 1
    if size.width > largest_side or size.height * panels > largest_side:
        tallest = largest_side // panels
        raise Problem(
            ProblemCode.INVALID_REQUEST,
            f"size: the model draws at most {largest_side}x{tallest} for the task {task}.",
            param="size",
        )
