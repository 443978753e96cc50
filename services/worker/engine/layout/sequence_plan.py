"""The plan of a sequence: all its tokens, given or to be drawn.

A plan has the prompt, START, both grid tokens, the rows and END. Everything that is known in advance (prompt,
header, newlines, END, the given panel, the kept cells) is filled in; the engine draws the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from services.worker.engine.errors import ImageSizeError, PromptError
from services.worker.engine.layout.image_grammar import ImageShape
from services.worker.engine.layout.prompts import PictureRequest, negative_prompt_text, prompt_text
from services.worker.engine.layout.text_tokenizer import TextTokenizer
from services.worker.engine.layout.vocabulary import Vocabulary
from shared.sizes import GRID_PIXELS
from shared.tasks import Task

RESEMBLING_TASKS = frozenset({Task.EDIT, Task.CONTROL})
"""Tasks whose result is drafted from the tokens of the given panel.

Measured: such drafts save forward passes for these tasks, and cost some for dense prediction.
"""


@dataclass(frozen=True)
class SequencePlan:
    """A whole sequence, from the begin-of-sequence token to END.

    tokens: None is an image code that the model draws.
    image_start: index of START; without a negative prompt the second stream of guidance begins here.
    draft_source: for each position, the index of an earlier position whose token is a good first draft, or
    None.
    result_rows: the rows of cells of the whole picture that are the result.
    negative: tokens before START in the second stream of guidance; empty without a negative prompt.
    """

    vocabulary: Vocabulary = field(repr=False)
    tokens: tuple[int | None, ...] = field(repr=False)
    image_start: int
    shape: ImageShape
    draft_source: tuple[int | None, ...] = field(repr=False)
    result_rows: range
    negative: tuple[int, ...] = field(default=(), repr=False)

    @property
    def origins(self) -> tuple[int, int]:
        """Positions at which both streams of guidance begin; a long negative prompt begins before 0."""
        return 0, self.image_start - len(self.negative)

    @property
    def text_tokens(self) -> int:
        """Number of tokens before START, of both streams."""
        return self.image_start + len(self.negative)

    @cached_property
    def free_positions(self) -> tuple[int, ...]:
        """Indices of the tokens that the model draws, in order."""
        return tuple(index for index, token in enumerate(self.tokens) if token is None)

    def position_of(self, row: int, column: int) -> int:
        """Index in `tokens` of a cell of the whole picture."""
        return self.image_start + self.shape.offset_of(row, column)

    def result_codes(self, tokens: Sequence[int]) -> tuple[int, ...]:
        """The image codes of the result, row by row. `tokens`: the finished sequence."""
        return self._codes(tokens, self.result_rows)

    def whole_codes(self, tokens: Sequence[int]) -> tuple[int, ...]:
        """The image codes of the whole picture, including the given panel."""
        return self._codes(tokens, range(self.shape.rows))

    def _codes(self, tokens: Sequence[int], rows: range) -> tuple[int, ...]:
        starts = [self.position_of(row, 0) for row in rows]
        return tuple(
            self.vocabulary.code_of_token(token)
            for start in starts
            for token in tokens[start : start + self.shape.columns]
        )


def plan_sequence(
    vocabulary: Vocabulary, text_tokenizer: TextTokenizer, request: PictureRequest
) -> SequencePlan:
    """Make the plan of a request.

    Raises ImageSizeError if the vocabulary has no grid token for the picture's size, PromptError if given or
    kept codes have the wrong number or leave nothing to draw, GrammarError for an unknown image code.
    """
    shape = image_shape(vocabulary, request)
    given_rows = shape.rows // 2 if request.task.takes_image else 0
    given = given_tokens(vocabulary, request, shape)
    result = _result_tokens(vocabulary, request, shape.rows - given_rows, shape.columns)
    prompt = prompt_tokens(vocabulary, text_tokenizer, request)
    tokens = (*prompt, *image_tokens(vocabulary, shape, (*given, *result)))
    distance = given_rows * shape.row_length if request.task in RESEMBLING_TASKS else 0
    return SequencePlan(
        vocabulary=vocabulary,
        tokens=tokens,
        image_start=len(prompt),
        shape=shape,
        draft_source=tuple(
            index - distance if token is None and distance else None for index, token in enumerate(tokens)
        ),
        result_rows=range(given_rows, shape.rows),
        negative=negative_tokens(vocabulary, text_tokenizer, request),
    )


def prompt_tokens(
    vocabulary: Vocabulary, text_tokenizer: TextTokenizer, request: PictureRequest
) -> tuple[int, ...]:
    """All tokens before START: begin of sequence, the prompt's text, the separator."""
    return text_tokens(vocabulary, text_tokenizer, prompt_text(request))


def negative_tokens(
    vocabulary: Vocabulary, text_tokenizer: TextTokenizer, request: PictureRequest
) -> tuple[int, ...]:
    """All tokens before START in the stream of the negative prompt; empty without one."""
    text = negative_prompt_text(request)
    return () if text is None else text_tokens(vocabulary, text_tokenizer, text)


def text_tokens(vocabulary: Vocabulary, text_tokenizer: TextTokenizer, text: str) -> tuple[int, ...]:
    """Begin of sequence, the text, the separator."""
    return (vocabulary.begin_of_sequence, *text_tokenizer.encode(text), vocabulary.separator)


def image_shape(vocabulary: Vocabulary, request: PictureRequest) -> ImageShape:
    """The shape of the whole picture. Raises ImageSizeError if there is no grid token for a side."""
    size = request.whole_size
    shape = ImageShape.of_pixels(size.width, size.height)
    if max(shape.grid_height, shape.grid_width) > vocabulary.max_grid:
        raise ImageSizeError(
            f"task '{request.task}' at {request.size} needs a picture of {size}; "
            f"this model draws at most {vocabulary.max_grid * GRID_PIXELS} pixels a side"
        )
    return shape


def image_tokens(
    vocabulary: Vocabulary, shape: ImageShape, cells: Sequence[int | None]
) -> tuple[int | None, ...]:
    """All tokens of an image, from START to END. cells: row by row."""
    tokens: list[int | None] = [
        vocabulary.image_start,
        vocabulary.grid_token(shape.grid_height),
        vocabulary.grid_token(shape.grid_width),
    ]
    for first in range(0, shape.rows * shape.columns, shape.columns):
        tokens += [*cells[first : first + shape.columns], vocabulary.newline]
    return (*tokens, vocabulary.image_end)


def given_tokens(vocabulary: Vocabulary, request: PictureRequest, shape: ImageShape) -> tuple[int, ...]:
    """The tokens of the given panel's cells; empty for a task that takes no image."""
    if request.given_codes is None:
        return ()
    needed = shape.rows // 2 * shape.columns
    if len(request.given_codes) != needed:
        raise PromptError(
            f"the given image has {len(request.given_codes)} codes, a panel of {request.size} has {needed}"
        )
    return tuple(vocabulary.token_of_code(code) for code in request.given_codes)


def _result_tokens(
    vocabulary: Vocabulary, request: PictureRequest, rows: int, columns: int
) -> tuple[int | None, ...]:
    kept = request.kept_codes
    if kept is None:
        return (None,) * (rows * columns)
    if len(kept) != rows * columns:
        raise PromptError(
            f"kept codes cover {len(kept)} cells, a result of {request.size} has {rows * columns}"
        )
    if None not in kept:
        raise PromptError("every cell of the result is kept: there is nothing to draw")
    return tuple(None if code is None else vocabulary.token_of_code(code) for code in kept)
