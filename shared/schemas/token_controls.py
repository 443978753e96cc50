"""Fields of a request that keep some cells of a picture and let the model draw the others."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from shared.ids import IdKind, MalformedIdError, id_pattern, parse_id
from shared.schemas.faults import fault
from shared.schemas.fields import whole

MOST_CELLS = 512
"""Largest number of rows or columns of cells that a request may name."""
MOST_REGIONS = 16
MOST_PIXELS_A_SIDE = 16_384
DRAWN_KINDS = (IdKind.IMAGE, IdKind.CANDIDATE)


def check_stored(text: str) -> str:
    """Return an image or candidate id unchanged. Raises ValueError."""
    kind = IdKind.CANDIDATE if text.startswith(f"{IdKind.CANDIDATE.value}_") else IdKind.IMAGE
    try:
        parse_id(kind, text)
    except MalformedIdError as error:
        raise ValueError(f"must be an image id or a candidate id: {error}") from error
    return text


StoredPicture = Annotated[
    str,
    Field(
        max_length=64,
        json_schema_extra={"pattern": f"^({'|'.join(id_pattern(kind) for kind in DRAWN_KINDS)})$"},
    ),
    AfterValidator(check_stored),
]
"""A picture of the project: `img_...` or `cnd_...`."""
Cells = Annotated[int, Field(ge=0, le=MOST_CELLS), BeforeValidator(whole)]
Pixel = Annotated[int, Field(ge=0, le=MOST_PIXELS_A_SIDE), BeforeValidator(whole)]
Pixels = Annotated[int, Field(ge=1, le=MOST_PIXELS_A_SIDE), BeforeValidator(whole)]


class Extension(BaseModel, frozen=True):
    """Cells of 8 pixels that are added to the canvas at each side. Sizes of pictures are whole grids of 4."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    bottom: Cells = 0
    right: Cells = 0
    top: Cells = 0
    """Refused above 0: a picture is drawn from the top left, so new cells here would not see old ones."""
    left: Cells = 0
    """Refused above 0, as `top`."""


class Region(BaseModel, frozen=True):
    """A rectangle of a drawn picture, in pixels; it is widened to whole cells of 8 pixels."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    image: StoredPicture
    """The picture to take the rectangle from; it has the size of the new picture."""
    x: Pixel
    y: Pixel
    width: Pixels
    height: Pixels


class Composite(StrEnum):
    """What becomes of the pixels of kept cells."""

    EXACT = "exact"
    """They are put back from the canvas."""
    NONE = "none"
    """They are decoded with the new cells, which changes those beside a new cell a little."""


class TokenControls(BaseModel, frozen=True):
    """Which cells of the result are kept; the codes of kept cells are those of an earlier picture."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    keep_from: StoredPicture | None = None
    """The canvas: the picture whose cells are kept by `mask`, `keep_rows`, `variation_strength` and `extend`.
    The result has its size. Default: the given image of an edit."""
    keep_rows: Annotated[int, Field(ge=1, le=MOST_CELLS), BeforeValidator(whole)] | None = None
    """Number of rows of cells (8 pixels each) at the top of the canvas that are kept."""
    variation_strength: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Share of the canvas' cells, of those that mask and keep_rows leave, that is drawn anew: the ones that
    the model was least certain of when it drew the canvas."""
    extend: Extension | None = None
    """Make the canvas larger: the old picture is kept, the new cells are drawn."""
    region_from: Annotated[list[Region], Field(min_length=1, max_length=MOST_REGIONS)] | None = None
    """Rectangles of other pictures that are put into the new picture at the same place, and kept. A later one
    covers an earlier one."""
    composite: Composite | None = None
    """Whether the canvas' own pixels are put back where its cells are kept, beyond the decoder's reach from a
    new cell. Default: exact with a mask, otherwise none."""

    @model_validator(mode="after")
    def _what_is_added_sees_the_old_picture(self) -> Self:
        if self.extend is None:
            return self
        for side in ("top", "left"):
            if getattr(self.extend, side):
                words = (
                    f"extend.{side}: a picture is drawn from the top left, so new cells at this side would "
                    "not see the old picture; only bottom and right can be extended"
                )
                raise fault("side_not_extendable", words, f"extend.{side}")
        if not self.extend.bottom + self.extend.right:
            raise fault("nothing_to_draw", "extend: add at least one cell at bottom or right", "extend")
        for name in ("keep_rows", "variation_strength"):
            if getattr(self, name) is not None:
                words = f"{name}: extend keeps the whole canvas; send one of both"
                raise fault("controls_conflict", words, name)
        return self
