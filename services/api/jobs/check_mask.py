"""Check the mask of an edit before the job is queued: it must fit the image and free some, but not all cells.

The gateway finds the cells with the same code as the worker (`shared.pictures.masks`), at the size to which a
worker would fit the image.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.api.auth.api_keys import Caller
from services.api.images.files import MOST_PIXELS, PictureFile, picture_problem
from services.api.images.repository import find_image, find_start, read_content
from services.api.jobs.admission import Offer
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from shared.ids import IdKind, parse_id
from shared.pictures.errors import ImageError
from shared.pictures.fitting import Size, choose_crop_size, generate_crop_sizes
from shared.pictures.mask_modes import MaskMode, MaskReading
from shared.pictures.masks import CellMask, MaskRecord
from shared.schemas.fields import ImageSize
from shared.schemas.jobs import JobRequest
from shared.sizes import CELL_PIXELS, GRID_PIXELS
from shared.tables import ImageOrigin

USUAL_SIZE = ImageSize(512, 512)
"""Size to which an image is fitted while no running worker reports its model's size."""
MARKS = {
    MaskReading.WHITE_EDITS: "no pixel that is white",
    MaskReading.TRANSPARENT_EDITS: "no pixel that is transparent",
    MaskReading.BLACK_EDITS: "no pixel that is dark",
}


@dataclass(frozen=True)
class GivenImage:
    """Size and origin of the image that a mask belongs to."""

    width: int
    height: int
    is_drawn: bool
    """Whether a job drew it; an edit then keeps its size."""


async def check_mask(
    gateway: Gateway,
    caller: Caller,
    request: JobRequest,
    pictures: Mapping[str, PictureFile],
    offers: Sequence[Offer],
) -> MaskRecord | None:
    """Read the request's mask as cells; None if it has none. Raises Problem that names `mask`.

    pictures: pictures given by URL or base64, by field name; the others are found by their ids.
    """
    if request.mask is None or request.canvas is None:
        return None
    given = await given_image(gateway, caller, request.canvas, pictures)
    size = panel_size(given, request, offers)
    mode = request.mask_mode or MaskMode.AUTO
    data = await mask_bytes(gateway, caller, request.mask, pictures)
    try:
        mask = await gateway.decoders.read_mask(
            data, max_pixels=MOST_PIXELS, size=size, cell=CELL_PIXELS, mode=mode, key=caller.project_id
        )
    except ImageError as error:
        problem = picture_problem(error)
        code = ProblemCode(problem.code)
        raise Problem(code, f"mask: {problem.detail}", "mask", headers=problem.headers) from error
    judge_mask(mask, given, size, mode)
    return MaskRecord.of(mask, CELL_PIXELS)


def judge_mask(mask: CellMask, image: GivenImage, size: Size, mode: MaskMode) -> None:
    """Raise Problem if the mask's proportions differ from the image's, or it frees no cell or all cells."""
    drawn = mask.drawn_width, mask.drawn_height
    if drawn != size and not has_shape_of(drawn, (image.width, image.height)):
        raise refused(
            f"it has {drawn[0]}x{drawn[1]} pixels, but the image has {image.width}x{image.height}: send a "
            "mask with the image's size or proportions"
        )
    if not mask.cells_free:
        raise refused(
            f"it frees no cell: read as {mask.reading}, it has {MARKS[mask.reading]}. Send another mask, or "
            "set mask_mode"
        )
    if mask.cells_free == mask.cells_total and mode is MaskMode.AUTO:
        raise refused(
            f"read as {mask.reading}, it frees all {mask.cells_total} cells of the image. Leave the mask out "
            f"to change the whole image, or set mask_mode to {mask.reading} to confirm this reading"
        )


def refused(words: str) -> Problem:
    """Problem of an unusable mask."""
    return Problem(ProblemCode.INVALID_REQUEST, f"mask: {words}.", param="mask")


def has_shape_of(mask: Size, image: Size) -> bool:
    """Whether the mask has the image's proportions, to within a pixel of either side."""
    width, height = mask
    across = abs(width - image[0] * height / image[1])
    down = abs(height - image[1] * width / image[0])
    return min(across, down) <= 1


def panel_size(image: GivenImage, request: JobRequest, offers: Sequence[Offer]) -> Size:
    """(width, height) to which a worker fits the image.

    The requested size; without one, the size of a drawn image, or else the model's best fitting size.
    """
    if request.size is not None:
        return ImageSize.parse(request.size).pixels
    offer = next((offer for offer in offers if request.model in {None, offer.get("name")}), {})
    size = image.width, image.height
    trained: Mapping[str, Sequence[str]] = offer.get("sizes") or {}
    known = [ImageSize.parse(text).pixels for text in trained.get(request.task.value, ())]
    on_grid = image.width % GRID_PIXELS == 0 and image.height % GRID_PIXELS == 0
    if image.is_drawn and on_grid and (not known or size in known):
        return size
    if not known:
        usual = ImageSize.parse(str(offer.get("default_size", USUAL_SIZE)))
        known = generate_crop_sizes(max(GRID_PIXELS, int((usual.width * usual.height) ** 0.5)))
    return size if size in known else choose_crop_size(size, known)


async def given_image(
    gateway: Gateway, caller: Caller, source: str, pictures: Mapping[str, PictureFile]
) -> GivenImage:
    """Size and origin of the request's image, given by URL, base64 or id. Raises Problem."""
    if (sent := pictures.get("image")) is not None:
        return GivenImage(sent.width, sent.height, is_drawn=False)
    async with gateway.database.transaction() as session:
        image = await session.run_sync(find_start, caller.project_id, parse_id(IdKind.IMAGE, source))
    return GivenImage(image.width, image.height, is_drawn=image.origin == ImageOrigin.GENERATED)


async def mask_bytes(
    gateway: Gateway, caller: Caller, source: str, pictures: Mapping[str, PictureFile]
) -> bytes:
    """The mask's file. Raises Problem or StorageError."""
    if "mask" in pictures:
        return pictures["mask"].data
    async with gateway.database.transaction() as session:
        image = await session.run_sync(find_image, caller.project_id, parse_id(IdKind.IMAGE, source))
    return await read_content(gateway, image)
