"""Which tokens may stand at which place of an image: a deterministic automaton.

    START, height grids, width grids, then per row its image codes and NEWLINE, and END after the last row

A grid is 32 pixels, a cell (one image code) 8 pixels. Tokens carry the height first. Outside an image, and
until both grid tokens are known, everything is allowed, as in the reference; a model that then says
something that is no grid token ends in a GrammarError.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Self, TypeAlias

from services.worker.engine.errors import GrammarError, ImageSizeError
from services.worker.engine.vocabulary import GRID_PIXELS, Vocabulary

CELLS_PER_GRID = 4
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
        """Raises ImageSizeError unless both are multiples of 32."""
        if width % GRID_PIXELS or height % GRID_PIXELS:
            raise ImageSizeError(f"{width}x{height} is no size in multiples of {GRID_PIXELS} pixels")
        return cls(height // GRID_PIXELS, width // GRID_PIXELS)

    @property
    def rows(self) -> int:
        return self.grid_height * CELLS_PER_GRID

    @property
    def columns(self) -> int:
        return self.grid_width * CELLS_PER_GRID

    @property
    def row_length(self) -> int:
        """Tokens a row, its newline included."""
        return self.columns + 1

    @property
    def end_offset(self) -> int:
        return HEADER_LENGTH + self.rows * self.row_length

    @property
    def length(self) -> int:
        """Tokens from START to END, both included."""
        return self.end_offset + 1

    def offset_of(self, row: int, column: int) -> int:
        """Where the cell stands. Raises GrammarError outside the image."""
        if not (0 <= row < self.rows and 0 <= column < self.columns):
            raise GrammarError(f"cell ({row}, {column}) is outside {self.rows} rows of {self.columns}")
        return HEADER_LENGTH + row * self.row_length + column

    def cell_at(self, offset: int) -> tuple[int, int] | None:
        """(row, column) of the cell that stands there; None for the header, newlines and END."""
        row, column = divmod(offset - HEADER_LENGTH, self.row_length)
        if offset < HEADER_LENGTH or row >= self.rows or column == self.columns:
            return None
        return row, column

    def is_newline(self, offset: int) -> bool:
        in_rows = HEADER_LENGTH <= offset < self.end_offset
        return in_rows and (offset - HEADER_LENGTH) % self.row_length == self.columns


class Free(Enum):
    """A set of tokens to choose from."""

    ANYTHING = auto()
    IMAGE_CODES = auto()


@dataclass(frozen=True, slots=True)
class Forced:
    """The one token that may stand here."""

    token: int


Allowed: TypeAlias = Free | Forced


@dataclass(frozen=True, slots=True)
class GrammarState:
    """How far the current image has come.

    offset: place of the next token counted from START; 0 while no image is open.
    """

    offset: int = 0
    grid_height: int | None = None
    shape: ImageShape | None = None


OUTSIDE = GrammarState()


@dataclass(frozen=True, slots=True)
class ImageGrammar:
    """The automaton over one vocabulary; every step takes constant time and rescans nothing."""

    vocabulary: Vocabulary

    def allowed(self, state: GrammarState) -> Allowed:
        """What the next token may be."""
        return Free.ANYTHING if state.shape is None else self.allowed_at(state.shape, state.offset)

    def allowed_at(self, shape: ImageShape, offset: int) -> Allowed:
        """What may stand `offset` tokens after START, for offsets after the header.

        Rows of image codes go on behind END, as they do in the reference when a window of draft tokens
        reaches over the end; nothing there is ever kept.
        """
        if (offset - HEADER_LENGTH) % shape.row_length == shape.columns:
            return Forced(self.vocabulary.newline)
        return Forced(self.vocabulary.image_end) if offset == shape.end_offset else Free.IMAGE_CODES

    def allowed_window(self, state: GrammarState, length: int) -> tuple[Allowed, ...]:
        """What the next `length` tokens may be, judged from here, before any of them is known."""
        if state.shape is None:
            return (Free.ANYTHING,) * length
        return tuple(self.allowed_at(state.shape, state.offset + step) for step in range(length))

    def advance(self, state: GrammarState, token: int) -> GrammarState:
        """The state after one more token. Raises GrammarError when it may not stand there."""
        if state.shape is not None:
            return self._advance_rows(state, state.shape, token)
        if state.offset == 0:
            return GrammarState(offset=1) if token == self.vocabulary.image_start else OUTSIDE
        count = self.vocabulary.grid_count(token)
        if state.grid_height is None:
            return GrammarState(offset=2, grid_height=count)
        return GrammarState(HEADER_LENGTH, state.grid_height, ImageShape(state.grid_height, count))

    def read(self, tokens: Iterable[int], state: GrammarState = OUTSIDE) -> GrammarState:
        """The state after all tokens. Raises GrammarError at the first that may not stand there."""
        for token in tokens:
            state = self.advance(state, token)
        return state

    def _advance_rows(self, state: GrammarState, shape: ImageShape, token: int) -> GrammarState:
        match self.allowed_at(shape, state.offset):
            case Forced(token=forced) if token != forced:
                raise GrammarError(
                    f"token {token} stands where only {forced} may, {state.offset} after START"
                )
            case Free.IMAGE_CODES if not self.vocabulary.is_image_token(token):
                raise GrammarError(f"token {token} is no image code, {state.offset} after START")
            case _ if state.offset == shape.end_offset:
                return OUTSIDE
            case _:
                return GrammarState(state.offset + 1, state.grid_height, shape)
