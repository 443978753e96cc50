"""The tokens that are allowed at each place of an image: a deterministic automaton.

    START, height grids, width grids, for each row its image codes and NEWLINE, END

A grid unit is 32 pixels, a cell (one image code) 8 pixels; the height comes first. Outside an image, and
until both grid tokens are known, all tokens are allowed, as in the reference. A token after START that is not
a grid token raises GrammarError.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Self, TypeAlias

from services.worker.engine.errors import GrammarError, ImageSizeError
from services.worker.engine.layout.vocabulary import Vocabulary
from shared.sizes import CELLS_PER_GRID, GRID_PIXELS

HEADER_LENGTH = 3
"""START, height grids, width grids."""


@dataclass(frozen=True, slots=True)
class ImageShape:
    """The geometry of one image's tokens. Offsets count from START, which has offset 0."""

    grid_height: int
    grid_width: int

    def __post_init__(self) -> None:
        if self.grid_height < 1 or self.grid_width < 1:
            raise ImageSizeError(f"an image of {self.grid_height} by {self.grid_width} grids has no cells")

    @classmethod
    def of_pixels(cls, width: int, height: int) -> Self:
        """The shape of an image of this size. Raises ImageSizeError unless both are multiples of 32."""
        if width % GRID_PIXELS or height % GRID_PIXELS:
            raise ImageSizeError(f"width and height of {width}x{height} must be multiples of {GRID_PIXELS}")
        return cls(height // GRID_PIXELS, width // GRID_PIXELS)

    @property
    def rows(self) -> int:
        return self.grid_height * CELLS_PER_GRID

    @property
    def columns(self) -> int:
        return self.grid_width * CELLS_PER_GRID

    @property
    def row_length(self) -> int:
        """Tokens in a row, including its newline."""
        return self.columns + 1

    @property
    def end_offset(self) -> int:
        return HEADER_LENGTH + self.rows * self.row_length

    @property
    def length(self) -> int:
        """Tokens from START to END, both included."""
        return self.end_offset + 1

    def offset_of(self, row: int, column: int) -> int:
        """Offset of a cell. Raises GrammarError outside the image."""
        if not (0 <= row < self.rows and 0 <= column < self.columns):
            raise GrammarError(f"cell ({row}, {column}) is outside {self.rows} rows of {self.columns}")
        return HEADER_LENGTH + row * self.row_length + column

    def cell_at(self, offset: int) -> tuple[int, int] | None:
        """(row, column) of the cell at an offset; None for the header, newlines and END."""
        row, column = divmod(offset - HEADER_LENGTH, self.row_length)
        if offset < HEADER_LENGTH or row >= self.rows or column == self.columns:
            return None
        return row, column

    def is_newline(self, offset: int) -> bool:
        in_rows = HEADER_LENGTH <= offset < self.end_offset
        return in_rows and (offset - HEADER_LENGTH) % self.row_length == self.columns


class Free(Enum):
    """A set of allowed tokens."""

    ANYTHING = auto()
    IMAGE_CODES = auto()


@dataclass(frozen=True, slots=True)
class Forced:
    """The only token that is allowed."""

    token: int


Allowed: TypeAlias = Free | Forced


@dataclass(frozen=True, slots=True)
class GrammarState:
    """State of the automaton.

    offset: offset of the next token from START; 0 outside an image. grid_height: known after the first grid
    token. shape: known after both.
    """

    offset: int = 0
    grid_height: int | None = None
    shape: ImageShape | None = None


OUTSIDE = GrammarState()


@dataclass(frozen=True, slots=True)
class ImageGrammar:
    """The automaton over one vocabulary; every step takes constant time."""

    vocabulary: Vocabulary

    def allowed(self, state: GrammarState) -> Allowed:
        """The tokens that are allowed next."""
        return Free.ANYTHING if state.shape is None else self.allowed_at(state.shape, state.offset)

    def allowed_at(self, shape: ImageShape, offset: int) -> Allowed:
        """The tokens that are allowed at an offset after the header.

        After END, rows of image codes continue, as in the reference when a window of drafts extends past the
        end; tokens there are never kept.
        """
        if (offset - HEADER_LENGTH) % shape.row_length == shape.columns:
            return Forced(self.vocabulary.newline)
        return Forced(self.vocabulary.image_end) if offset == shape.end_offset else Free.IMAGE_CODES

    def allowed_window(self, state: GrammarState, length: int) -> tuple[Allowed, ...]:
        """The tokens that are allowed at each of the next `length` places, before any of them is known."""
        if state.shape is None:
            return (Free.ANYTHING,) * length
        return tuple(self.allowed_at(state.shape, state.offset + step) for step in range(length))

    def advance(self, state: GrammarState, token: int) -> GrammarState:
        """The state after one more token. Raises GrammarError if the token is not allowed."""
        if state.shape is not None:
            return self._advance_rows(state, state.shape, token)
        if state.offset == 0:
            return GrammarState(offset=1) if token == self.vocabulary.image_start else OUTSIDE
        count = self.vocabulary.grid_count(token)
        if state.grid_height is None:
            return GrammarState(offset=2, grid_height=count)
        return GrammarState(HEADER_LENGTH, state.grid_height, ImageShape(state.grid_height, count))

    def read(self, tokens: Iterable[int], state: GrammarState = OUTSIDE) -> GrammarState:
        """The state after all tokens. Raises GrammarError at the first token that is not allowed."""
        for token in tokens:
            state = self.advance(state, token)
        return state

    def _advance_rows(self, state: GrammarState, shape: ImageShape, token: int) -> GrammarState:
        match self.allowed_at(shape, state.offset):
            case Forced(token=forced) if token != forced:
                raise GrammarError(
                    f"token {token} at offset {state.offset} from START; only {forced} is allowed there"
                )
            case Free.IMAGE_CODES if not self.vocabulary.is_image_token(token):
                raise GrammarError(f"token {token} at offset {state.offset} from START is not an image code")
            case _ if state.offset == shape.end_offset:
                return OUTSIDE
            case _:
                return GrammarState(state.offset + 1, state.grid_height, shape)
