"""Refuse requests that none of the running workers can draw, before they are queued.

While no worker runs, every request is accepted: a worker that starts later checks it again.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from services.api.problems.codes import Problem, ProblemCode
from shared.schemas.fields import ImageSize
from shared.schemas.jobs import JobRequest
from shared.tasks import Task

Offer = Mapping[str, Any]
"""A worker's description of its model (`workers.model`)."""


def check_offers(offers: Sequence[Offer], request: JobRequest) -> None:
    """Raise Problem if workers run, but none has the model or none can draw the size."""
    fitting = [offer for offer in offers if request.model in (None, offer.get("name"))]
    if offers and not fitting:
        names = ", ".join(sorted({str(offer.get("name")) for offer in offers}))
        raise Problem(
            ProblemCode.MODEL_UNAVAILABLE,
            f"model: no running worker has {request.model!r}; available: {names}.",
            param="model",
        )
    if request.size is None:
        return
    limits = [int(offer["largest_side"]) for offer in fitting if "largest_side" in offer]
    if limits:
        check_size(request.task, ImageSize.parse(request.size), max(limits))
    if not request.allow_untrained_size:
        check_training(request.task, request.size, [trained_sizes(offer, request.task) for offer in fitting])


def trained_sizes(offer: Offer, task: Task) -> list[str] | None:
    """Sizes that a model was trained for in a task; None if it takes any size."""
    by_task: Mapping[str, list[str]] = offer.get("sizes") or {}
    return by_task.get(task.value)


def check_training(task: Task, size: str, offered: Sequence[list[str] | None]) -> None:
    """Raise Problem for a size that no model was trained for. `offered`: trained sizes of each model."""
    known = [sizes for sizes in offered if sizes is not None]
    if len(known) < len(offered) or any(size in sizes for sizes in known) or not known:
        return
    listed = ", ".join(dict.fromkeys(each for sizes in known for each in sizes))
    raise Problem(
        ProblemCode.INVALID_REQUEST,
        f"size: the model was not trained for {size} in the task {task}, only for {listed}. "
        "Set allow_untrained_size to draw other sizes; most of the pictures turn out badly.",
        param="size",
    )


def check_numerics(offers: Sequence[Offer], recent: Collection[str], request: JobRequest) -> None:
    """Raise Problem if workers run, but none has the requested numerics identity, or had it recently.

    recent: identities of all workers that sent a heartbeat within `JOB_MODEL_WAIT_SECONDS`, since a stopped
    worker may return.
    """
    if request.numerics is None or not offers or request.numerics in recent:
        return
    served = sorted(
        {
            f"{parts['id']} ({offer.get('name')}, {parts.get('precision')})"
            for offer in offers
            if (parts := offer.get("numerics")) and request.model in (None, offer.get("name"))
        }
    )
    raise Problem(
        ProblemCode.NUMERICS_UNAVAILABLE,
        f"numerics: no worker has the identity {request.numerics}; available: {', '.join(served) or 'none'}.",
        param="numerics",
    )


def check_size(task: Task, size: ImageSize, largest_side: int) -> None:
    """Raise Problem for a picture that is larger than the model's largest grid.

    Tasks with a given picture need a grid of twice the height: the given panel above the drawn one.
    """
    panels = 2 if task.takes_image else 1
    if size.width > largest_side or size.height * panels > largest_side:
        tallest = largest_side // panels
        raise Problem(
            ProblemCode.INVALID_REQUEST,
            f"size: the model draws at most {largest_side}x{tallest} for the task {task}.",
            param="size",
        )
