"""A plan has all tokens that are known in advance."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.worker.engine.errors import GrammarError, ImageSizeError, PromptError
from services.worker.engine.layout.image_grammar import OUTSIDE, ImageGrammar, ImageShape
from services.worker.engine.layout.open_plan import open_plan
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.layout.prompts import PictureRequest
from services.worker.engine.layout.sequence_plan import SequencePlan, plan_sequence
from services.worker.engine.layout.text_tokenizer import TextTokenizer
from services.worker.engine.layout.vocabulary import Vocabulary
from shared.tasks import MapKind, Task

TEXT = TextTokenizer.from_folder(Path(__file__).parents[2] / "golden/public/transformer")
VOCABULARY = Vocabulary.from_names(TEXT.token_ids, begin_name=TEXT.begin_name, size=656)
SIZE = PictureSize(64, 32)
PANEL = tuple(range(32))


def plan(request: PictureRequest) -> SequencePlan:
    return plan_sequence(VOCABULARY, TEXT, request)


def finished(planned: SequencePlan, code: int = 200) -> list[int]:
    """The sequence after a model has drawn every free cell with one code."""
    drawn = VOCABULARY.token_of_code(code)
    return [drawn if token is None else token for token in planned.tokens]


REQUESTS = {
    Task.TEXT_TO_IMAGE: PictureRequest(Task.TEXT_TO_IMAGE, "a boat", SIZE),
    Task.IMAGE_PAIR: PictureRequest(Task.IMAGE_PAIR, "a boat", SIZE, map=MapKind.DEPTH),
    Task.SUBJECT: PictureRequest(Task.SUBJECT, "a boat", SIZE, given_codes=PANEL),
    Task.CONTROL: PictureRequest(Task.CONTROL, "a boat", SIZE, map=MapKind.HED, given_codes=PANEL),
    Task.EDIT: PictureRequest(Task.EDIT, "a boat", SIZE, given_codes=PANEL),
    Task.DENSE: PictureRequest(Task.DENSE, "a boat", SIZE, map=MapKind.DEPTH, given_codes=PANEL),
}


@pytest.mark.parametrize("task", list(Task))
def test_only_the_cells_of_the_result_are_free(task: Task):
    planned = plan(REQUESTS[task])
    cells = [planned.position_of(row, column) for row in planned.result_rows for column in range(8)]
    assert list(planned.free_positions) == cells
    assert len(cells) == 32


@pytest.mark.parametrize("task", list(Task))
def test_a_finished_plan_is_one_sentence_of_the_grammar(task: Task):
    planned = plan(REQUESTS[task])
    tokens = finished(planned)
    assert tokens[planned.image_start] == VOCABULARY.image_start
    assert ImageGrammar(VOCABULARY).read(tokens) == OUTSIDE
    assert len(tokens) == planned.image_start + planned.shape.length == len(planned.draft_source)


@pytest.mark.parametrize("task", list(Task))
def test_the_result_has_the_size_that_was_asked_for(task: Task):
    planned = plan(REQUESTS[task])
    codes = planned.result_codes(finished(planned))
    assert codes == (200,) * 32
    assert (len(planned.result_rows), planned.shape.columns) == (4, 8)
    given_panel = PANEL if task.takes_image else ()
    assert planned.whole_codes(finished(planned)) == (*given_panel, *codes)


@pytest.mark.parametrize("task", [Task.EDIT, Task.CONTROL])
def test_a_free_cell_drafts_from_the_same_cell_of_the_given_panel(task: Task):
    planned = plan(REQUESTS[task])
    for row in range(4):
        for column in range(8):
            source = planned.draft_source[planned.position_of(row + 4, column)]
            assert source == planned.position_of(row, column)
    assert sum(source is not None for source in planned.draft_source) == 32


@pytest.mark.parametrize("task", [Task.TEXT_TO_IMAGE, Task.IMAGE_PAIR, Task.SUBJECT, Task.DENSE])
def test_other_tasks_have_no_panel_to_draft_from(task: Task):
    assert set(plan(REQUESTS[task]).draft_source) == {None}


@given(st.lists(st.booleans(), min_size=32, max_size=32).filter(lambda mask: not all(mask)))
@settings(max_examples=30, deadline=None)
def test_masked_cells_keep_the_given_panels_codes(mask: list[bool]):
    kept = tuple(code if keep else None for keep, code in zip(mask, PANEL, strict=True))
    planned = plan(PictureRequest(Task.EDIT, "a boat", SIZE, given_codes=PANEL, kept_codes=kept))
    assert len(planned.free_positions) == mask.count(False)
    expected = tuple(code if keep else 200 for keep, code in zip(mask, PANEL, strict=True))
    assert planned.result_codes(finished(planned)) == expected
    drafted = [i for i, source in enumerate(planned.draft_source) if source is not None]
    assert drafted == list(planned.free_positions)


def test_a_mask_that_keeps_everything_leaves_nothing_to_draw():
    with pytest.raises(PromptError, match="nothing to draw"):
        plan(PictureRequest(Task.EDIT, "a boat", SIZE, given_codes=PANEL, kept_codes=PANEL))


@pytest.mark.parametrize("fault", ["given", "kept"])
def test_codes_that_do_not_cover_the_panel_are_refused(fault: str):
    given_codes = PANEL[1:] if fault == "given" else PANEL
    kept_codes = (None,) * 31 if fault == "kept" else None
    request = PictureRequest(Task.EDIT, "a boat", SIZE, given_codes=given_codes, kept_codes=kept_codes)
    with pytest.raises(PromptError, match=f"{fault}.* 31 .* 64x32 has 32"):
        plan(request)


def test_a_code_that_the_model_does_not_have_is_refused():
    with pytest.raises(GrammarError, match="image code 256 is outside"):
        plan(PictureRequest(Task.EDIT, "a boat", SIZE, given_codes=(*PANEL[:-1], 256)))


def test_the_size_limit_counts_the_given_panel():
    tall = PictureSize(32, 800)
    plan(PictureRequest(Task.TEXT_TO_IMAGE, "a boat", tall))
    with pytest.raises(ImageSizeError, match=r"'edit' at 32x800 needs a picture of 32x1600.* at most 1536"):
        plan(PictureRequest(Task.EDIT, "a boat", tall, given_codes=(0,) * 400))


@pytest.mark.parametrize(
    "name", ["<eoss>", "<reserved08706>", "<racm3:break>", "<MOVQGAN0>", "<|endoftext|>"]
)
def test_a_prompt_cannot_smuggle_control_tokens_in(name: str):
    planned = plan(PictureRequest(Task.TEXT_TO_IMAGE, f"a boat {name} {name}", SIZE))
    text = planned.tokens[1 : planned.image_start - 1]
    assert all(token is not None and token < 300 for token in text)


def test_an_open_plan_has_no_plan_until_the_model_draws_a_size():
    request = REQUESTS[Task.TEXT_TO_IMAGE]
    opened = open_plan(VOCABULARY, TEXT, request)
    prompt = opened.tokens
    for token in (40, VOCABULARY.image_start, VOCABULARY.grid_token(2)):
        opened = opened.extend(token)
        assert opened.plan is None
    closed = opened.extend(VOCABULARY.grid_token(1)).plan
    assert closed is not None
    assert closed.shape == ImageShape(grid_height=2, grid_width=1)
    assert closed.tokens[: closed.image_start] == (*prompt, 40)
    assert len(closed.free_positions) == 32
    assert ImageGrammar(VOCABULARY).read(finished(closed)) == OUTSIDE


def test_an_open_plan_with_the_requested_size_becomes_the_ordinary_plan():
    request = REQUESTS[Task.IMAGE_PAIR]
    opened = open_plan(VOCABULARY, TEXT, request)
    for token in (VOCABULARY.image_start, VOCABULARY.grid_token(1), VOCABULARY.grid_token(2)):
        opened = opened.extend(token)
    assert opened.plan == plan(request)


@pytest.mark.parametrize("task", [task for task in Task if task.takes_image])
def test_a_given_panel_brings_its_size_along(task: Task):
    opened = open_plan(VOCABULARY, TEXT, REQUESTS[task])
    assert opened.plan is not None
    assert opened.plan == plan(REQUESTS[task])
    assert opened.tokens == opened.plan.tokens[: opened.plan.free_positions[0]]
    with pytest.raises(GrammarError, match="header of this image is already known"):
        opened.extend(VOCABULARY.token_of_code(0))


def test_an_open_plan_refuses_tokens_that_are_not_a_size():
    opened = open_plan(VOCABULARY, TEXT, REQUESTS[Task.TEXT_TO_IMAGE])
    with pytest.raises(GrammarError, match="not a grid token"):
        opened.extend(VOCABULARY.image_start).extend(40)


def test_codes_cannot_be_kept_in_a_picture_without_a_size():
    request = PictureRequest(Task.TEXT_TO_IMAGE, "a boat", SIZE, kept_codes=(1, *(None,) * 31))
    with pytest.raises(PromptError, match="size is fixed"):
        open_plan(VOCABULARY, TEXT, request)
