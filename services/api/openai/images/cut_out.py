"""A transparent background: the model draws a segmentation map of each picture, and its background goes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from services.api.auth.api_keys import Caller
from services.api.images.derivatives import MEDIA_TYPES
from services.api.images.files import MOST_PIXELS, picture_problem
from services.api.images.repository import read_content
from services.api.jobs.idempotency import request_fingerprint
from services.api.jobs.submit import Order, submit
from services.api.openai.images.receipt import job_of, receipt
from services.api.openai.pictures.answers import format_of
from services.api.openai.wire.model_names import ChosenModel
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from shared.ids import IdKind, format_id
from shared.job_view.outputs import OutputRows
from shared.job_view.view import JobRows
from shared.pictures.converting import DEFAULT_QUALITY, Conversion
from shared.pictures.errors import ImageError
from shared.schemas.jobs import JobRequest, OutputFormat
from shared.tasks import MapKind, Task

Wait = Callable[[UUID], Awaitable[JobRows]]
"""Waits for a job and returns it after it has succeeded; raises Problem if it does not."""


@dataclass(frozen=True)
class CutOutPicture:
    """A picture with a transparent background. kept: the share of its pixels that can be seen."""

    data: bytes
    kept: float


def check_segmentation(chosen: ChosenModel) -> None:
    """Raise Problem if workers run, but none of their models draws segmentation maps."""
    if chosen.offers and not any(Task.DENSE in offer.get("tasks", ()) for offer in chosen.offers):
        detail = "background: This model draws no segmentation maps, so no background can become transparent."
        raise Problem(ProblemCode.INVALID_REQUEST, detail, param="background")


async def cut_out_all(gateway: Gateway, caller: Caller, rows: JobRows, wait: Wait) -> list[CutOutPicture]:
    """Each picture of the job without its background. Raises Problem or StorageError."""
    maps = [await queue_map(gateway, caller, rows, output) for output in rows.outputs]
    return [
        await cut_out(gateway, rows, output, await wait(drawn_map))
        for output, drawn_map in zip(rows.outputs, maps, strict=True)
    ]


async def queue_map(gateway: Gateway, caller: Caller, rows: JobRows, output: OutputRows) -> UUID:
    """Queue the segmentation map of a picture, once however often it is asked for. Raises Problem."""
    image = format_id(IdKind.IMAGE, output.image.id)
    request = JobRequest.model_validate(
        {
            "task": Task.DENSE,
            "target": MapKind.SEGMENTATION,
            "image": image,
            "model": rows.request.get("model"),
            "seed": rows.request.get("seed"),
            "priority": rows.request.get("priority", "normal"),
        }
    )
    order = Order(request, lambda: request_fingerprint("cut out", image, {}), receipt)
    return job_of(await submit(gateway, caller, order, f"cut-out-{image}"))


async def cut_out(gateway: Gateway, rows: JobRows, output: OutputRows, drawn_map: JobRows) -> CutOutPicture:
    """One picture without its background. Raises Problem or StorageError."""
    picture = await read_content(gateway, output.image)
    segmentation = await read_content(gateway, drawn_map.outputs[0].image)
    file_format, quality = format_of(rows)
    conversion = Conversion(MEDIA_TYPES[file_format or OutputFormat.PNG], quality or DEFAULT_QUALITY)
    try:
        data, kept = await gateway.decoders.cut_out(
            picture, segmentation, MOST_PIXELS, conversion, rows.job.project_id
        )
    except ImageError as error:
        raise picture_problem(error) from error
    return CutOutPicture(data, kept)
