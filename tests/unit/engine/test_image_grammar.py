"""The automaton accepts the sequences it generates and nothing else."""

from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.worker.engine.errors import GrammarError, ImageSizeError
from services.worker.engine.layout.image_grammar import OUTSIDE, Forced, Free, ImageGrammar, ImageShape
from services.worker.engine.layout.vocabulary import Vocabulary

VOCABULARY = Vocabulary(
    size=100,
    begin_of_sequence=3,
    separator=9,
    image_start=7,
    image_end=2,
    newline=5,
    first_image_token=40,
    image_code_count=16,
    grid_tokens=(31, 29, 30, 28, 22),
)
GRAMMAR = ImageGrammar(VOCABULARY)
SHAPES = st.builds(ImageShape, st.integers(1, 5), st.integers(1, 5))


def header(shape: ImageShape) -> list[int]:
    return [7, VOCABULARY.grid_token(shape.grid_height), VOCABULARY.grid_token(shape.grid_width)]


def generate(shape: ImageShape) -> list[int]:
    """The tokens of one image that follows the automaton."""
    tokens = header(shape)
    state = GRAMMAR.read(tokens)
    while state != OUTSIDE:
        allowed = GRAMMAR.allowed(state)
        token = allowed.token if isinstance(allowed, Forced) else 40 + len(tokens) % 16
        tokens.append(token)
        state = GRAMMAR.advance(state, token)
    return tokens


@settings(deadline=None)
@given(SHAPES)
def test_an_image_has_its_rows_newlines_and_end(shape: ImageShape):
    tokens = generate(shape)
    assert len(tokens) == shape.length
    assert tokens[-1] == 2
    rows = "".join("n" if token == 5 else "c" for token in tokens[3:-1])
    assert rows == ("c" * shape.columns + "n") * shape.rows


@settings(deadline=None)
@given(SHAPES, st.data())
def test_any_forbidden_token_is_refused_where_it_stands(shape: ImageShape, data: st.DataObject):
    tokens = generate(shape)
    offset = data.draw(st.integers(3, shape.end_offset))
    allowed = GRAMMAR.allowed(GRAMMAR.read(tokens[:offset]))
    legal = {allowed.token} if isinstance(allowed, Forced) else set(range(40, 56))
    intruder = data.draw(st.sampled_from(sorted(set(range(100)) - legal)))
    with pytest.raises(GrammarError, match=f"at offset {offset} from START"):
        GRAMMAR.read([*tokens[:offset], intruder, *tokens[offset:]])


@settings(deadline=None)
@given(SHAPES, st.integers(-2, 500))
def test_cells_and_offsets_invert_each_other(shape: ImageShape, offset: int):
    cell = shape.cell_at(offset)
    if cell is not None:
        assert shape.offset_of(*cell) == offset
        assert not shape.is_newline(offset)
    else:
        in_rows = 3 <= offset < shape.end_offset
        assert shape.is_newline(offset) == in_rows


@settings(deadline=None)
@given(SHAPES)
def test_every_cell_has_its_own_offset(shape: ImageShape):
    cells = [(row, column) for row in range(shape.rows) for column in range(shape.columns)]
    assert [shape.cell_at(shape.offset_of(*cell)) for cell in cells] == cells


@settings(deadline=None)
@given(SHAPES, st.data())
def test_a_window_allows_the_same_as_single_steps(shape: ImageShape, data: st.DataObject):
    tokens = generate(shape)
    begin = data.draw(st.integers(3, shape.end_offset))
    before = GRAMMAR.read(tokens[:begin])
    window = GRAMMAR.allowed_window(before, shape.length - begin)
    states = accumulate(tokens[begin:-1], GRAMMAR.advance, initial=before)
    assert list(window) == [GRAMMAR.allowed(state) for state in states]


def test_text_is_free_and_a_second_image_may_follow():
    image = generate(ImageShape(1, 2))
    state = GRAMMAR.read([3, 60, 61, 9, *image, 60, 7])
    assert state.offset == 1
    assert GRAMMAR.allowed(OUTSIDE) is Free.ANYTHING


@pytest.mark.parametrize("said", [[7, 60], [7, 31, 5], [7, 7]])
def test_an_image_without_a_size_is_refused(said: list[int]):
    with pytest.raises(GrammarError, match="not a grid token"):
        GRAMMAR.read(said)


def test_tokens_carry_the_height_first():
    state = GRAMMAR.read([7, 31, 29])
    assert state.shape == ImageShape(grid_height=1, grid_width=2)
    assert ImageShape.of_pixels(width=64, height=32) == state.shape


def test_a_shape_off_the_grid_is_refused():
    with pytest.raises(ImageSizeError, match="no cells"):
        ImageShape(0, 2)
    with pytest.raises(ImageSizeError, match="multiples of 32"):
        ImageShape.of_pixels(64, 40)
    with pytest.raises(GrammarError, match="outside 4 rows of 8"):
        ImageShape(1, 2).offset_of(4, 0)
