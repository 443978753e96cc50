"""Choose the size of a request that names an aspect ratio: the trained size that is nearest to it."""

from collections.abc import Sequence

from services.api.jobs.admission import Offer, trained_sizes
from shared.pictures.crop_sizes import Size, choose_crop_size, generate_crop_sizes
from shared.schemas.fields import ImageSize
from shared.schemas.jobs import JobRequest
from shared.sizes import GRID_PIXELS
from shared.tasks import Task


def with_size(request: JobRequest, offers: Sequence[Offer]) -> JobRequest:
    """The request with the size for its aspect ratio.

    Without an aspect ratio it is unchanged; so it is while no worker runs, and the worker that draws it then
    chooses the size in the same way.
    """
    fitting = [offer for offer in offers if request.model in (None, offer.get("name"))]
    if request.aspect_ratio is None or request.size is not None or not fitting:
        return request
    panels = 2 if request.task is Task.IMAGE_PAIR else 1
    known = [size for offer in fitting for size in sizes_of(offer, request.task)]
    width, height = (int(side) for side in request.aspect_ratio.split(":"))
    chosen = choose_crop_size((width, height * panels), known)
    return request.model_copy(update={"size": f"{chosen[0]}x{chosen[1]}"})


def sizes_of(offer: Offer, task: Task) -> Sequence[Size]:
    """The model's sizes for a task; if it takes any size, those with about the pixels of its default one."""
    listed = trained_sizes(offer, task)
    if listed is not None:
        return [ImageSize.parse(text).pixels for text in listed]
    width, height = ImageSize.parse(str(offer.get("default_size", "512x512"))).pixels
    side = int((width * height) ** 0.5)
    return generate_crop_sizes(max(GRID_PIXELS, side))
