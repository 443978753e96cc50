"""Check the pictures that a request keeps cells of, before the job is queued, and choose its size by them."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.api.images.repository import find_start
from services.api.images.sources import about_field, is_future
from services.api.jobs.given_image import resolve_source
from services.api.jobs.prepare import invalid
from services.api.problems.codes import Problem
from shared.ids import IdKind, parse_id
from shared.schemas.fields import ImageSize, scheme_of
from shared.schemas.jobs import JobRequest
from shared.schemas.token_controls import Region
from shared.sizes import CELL_PIXELS, GRID_PIXELS, LARGEST_SIDE
from shared.tables import Image, ImageOrigin, ImageTokens

Pixels = tuple[int, int]
"""(width, height)."""


def resolve_controls(session: Session, project_id: UUID, request: JobRequest) -> JobRequest:
    """The request with image ids in place of candidates, and with the size that its canvas demands.

    Raises Problem that names the field.
    """
    request = with_images(session, project_id, request)
    canvas = stored_canvas(session, project_id, request)
    size = None if request.keep_from is None else size_on_canvas(request, canvas)
    size = size_with_regions(session, project_id, request, size)
    if request.variation_strength is not None and canvas is not None:
        check_certainty(session, canvas)
    check_rows(request, size, canvas)
    if size is None:
        return request
    check_size_is_free(request, size)
    return request.model_copy(update={"size": written(size)})


def with_images(session: Session, project_id: UUID, request: JobRequest) -> JobRequest:
    """The request with the image ids of its candidates. Raises Problem."""
    found: dict[str, object] = {}
    if request.keep_from is not None:
        found["keep_from"] = resolve_source(session, project_id, request.keep_from, "keep_from")
    if request.region_from is not None:
        found["region_from"] = [
            region.model_copy(
                update={"image": resolve_source(session, project_id, region.image, "region_from")}
            )
            for region in request.region_from
        ]
    return request.model_copy(update=found) if found else request


def stored_canvas(session: Session, project_id: UUID, request: JobRequest) -> Image | None:
    """The row of the canvas; None without one, or while it is not stored or not drawn yet. Raises Problem."""
    source = request.canvas
    if source is None or is_future(source) or scheme_of(source) is not None:
        return None
    return picture(session, project_id, source, "keep_from" if request.keep_from else "image")


def picture(session: Session, project_id: UUID, image: str, field: str) -> Image:
    """The row of a picture; an expired one has its codes. Raises Problem that names the field."""
    try:
        return find_start(session, project_id, parse_id(IdKind.IMAGE, image))
    except Problem as problem:
        raise about_field(field, problem) from problem


def size_on_canvas(request: JobRequest, canvas: Image | None) -> Pixels | None:
    """The size of the result on a drawn canvas; an upload is fitted to any size. Raises Problem."""
    if canvas is None or canvas.origin != ImageOrigin.GENERATED:
        if request.extend is not None:
            raise invalid("extend", "Only a picture that was drawn here can be extended, not an upload.")
        return None
    if request.extend is None:
        return canvas.width, canvas.height
    width = canvas.width + request.extend.right * CELL_PIXELS
    height = canvas.height + request.extend.bottom * CELL_PIXELS
    if max(width, height) > LARGEST_SIDE:
        raise invalid("extend", f"It makes {width}x{height}; a side has at most {LARGEST_SIDE} pixels.")
    if width % GRID_PIXELS or height % GRID_PIXELS:
        step = GRID_PIXELS // CELL_PIXELS
        raise invalid(
            "extend",
            f"It makes {width}x{height}; sides are multiples of {GRID_PIXELS}: add {step} cells each.",
        )
    return width, height


def size_with_regions(
    session: Session, project_id: UUID, request: JobRequest, size: Pixels | None
) -> Pixels | None:
    """The size of the result, which all pictures of `region_from` have. Raises Problem."""
    for region in request.region_from or ():
        source = picture(session, project_id, region.image, "region_from")
        if source.origin != ImageOrigin.GENERATED:
            raise invalid("region_from", f"{region.image} was not drawn here, so it has no cells to take.")
        size = size or (source.width, source.height)
        if (source.width, source.height) != size:
            raise invalid(
                "region_from",
                f"{region.image} has {source.width}x{source.height} pixels, the new picture {written(size)}.",
            )
        check_inside(region, size)
    return size


def check_inside(region: Region, size: Pixels) -> None:
    """Raise Problem if the region reaches over the picture's edge."""
    if region.x + region.width > size[0] or region.y + region.height > size[1]:
        raise invalid("region_from", f"The region reaches over the edge of {region.image}, {written(size)}.")


def check_certainty(session: Session, canvas: Image) -> None:
    """Raise Problem if it is unknown how certain the model was of the canvas' cells."""
    known = select(ImageTokens.image_id).where(
        ImageTokens.image_id == canvas.id, ImageTokens.certainty.is_not(None)
    )
    if session.scalars(known.limit(1)).first() is None:
        raise invalid(
            "variation_strength",
            "It is unknown which cells of the canvas are uncertain: it was not drawn whole by this platform.",
        )


def check_rows(request: JobRequest, size: Pixels | None, canvas: Image | None) -> None:
    """Raise Problem if `keep_rows` keeps the whole result. size: demanded by the kept cells, if they do."""
    if request.keep_rows is None:
        return
    if size is None and request.size is not None:
        size = ImageSize.parse(request.size).pixels
    elif size is None and canvas is not None and canvas.origin == ImageOrigin.GENERATED:
        size = canvas.width, canvas.height
    if size is not None and request.keep_rows * CELL_PIXELS >= size[1]:
        raise invalid("keep_rows", f"The canvas has {size[1] // CELL_PIXELS} rows: nothing would be drawn.")


def check_size_is_free(request: JobRequest, size: Pixels) -> None:
    """Raise Problem if the request names another size than that of the kept cells."""
    if request.size is not None and request.size != written(size):
        raise invalid("size", f"The kept cells need {written(size)}: leave size out.")
    if request.size is None and request.aspect_ratio is not None:
        raise invalid("aspect_ratio", f"The kept cells need the size {written(size)}: leave it out.")


def written(size: Pixels) -> str:
    """The size as requests write it."""
    return f"{size[0]}x{size[1]}"
