"""Choose a size that the model has for a client that asks for any width and height.

Routes of other APIs use it: their clients ask for 512x512 or 1024x1024 whatever the model. `POST /v1/jobs`
refuses sizes that the model does not have.
"""

from collections.abc import Sequence
from math import gcd, log

from services.api.jobs.admission import Offer
from services.api.jobs.aspect_ratio import sizes_of
from shared.pictures.crop_sizes import Size
from shared.tasks import Task


def nearest_fields(wanted: Size, task: Task, offers: Sequence[Offer]) -> dict[str, str]:
    """The fields of a job request that ask for the nearest size: `size`, or `aspect_ratio`.

    wanted: (width, height), each from 1 to 9999. offers: workers that have the wanted model. While none runs,
    the worker that draws the job chooses the size by the aspect ratio.
    """
    sizes = [size for offer in offers for size in sizes_of(offer, task)]
    if not sizes:
        common = gcd(*wanted)
        return {"aspect_ratio": f"{wanted[0] // common}:{wanted[1] // common}"}
    width, height = nearest_size(wanted, sizes)
    return {"size": f"{width}x{height}"}


def nearest_size(wanted: Size, sizes: Sequence[Size]) -> Size:
    """The size whose aspect ratio is nearest to the wanted one, and among equals the nearest area."""

    def distance(size: Size) -> tuple[float, float]:
        ratio = log(size[0] / size[1]) - log(wanted[0] / wanted[1])
        area = log(size[0] * size[1]) - log(wanted[0] * wanted[1])
        return round(abs(ratio), 6), abs(area)

    return min(sizes, key=distance)
