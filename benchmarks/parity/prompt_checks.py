"""Compare prompts, token ids and layouts of every task, and the ids of the vocabulary's special tokens."""

from collections.abc import Iterator
from typing import Any

from benchmarks.parity.comparison import Comparison, identical
from benchmarks.parity.fixture_set import FixtureSet
from benchmarks.parity.questions import request_of
from services.tokenizer.image_codec import encode_pixels, read_pixels
from services.worker.engine.layout.open_plan import open_plan
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.layout.prompts import PictureRequest, prompt_text
from services.worker.engine.layout.sequence_plan import SequencePlan, plan_sequence
from services.worker.engine.layout.vocabulary import Vocabulary
from shared.tasks import Task

PROMPTS = "layout/prompts.json"
IDS = "idmap.json"
WHOLE_PICTURE = "layout/process_image_layout.json"
GIVEN_PICTURE = "layout/i2i_reference.png"
MAX_PIXELS = 64_000_000


def check_vocabulary(fixtures: FixtureSet) -> Iterator[Comparison]:
    """Compare the ids of special tokens, which are found by name."""
    names = ("START", "END", "NEWLINE", "SEP", "GRID0", "IMG_FIRST", "IMG_LAST", "BOS_USED", "vocab_size")
    expected = fixtures.json(IDS)
    yield identical(IDS, "ids by name", named_ids(fixtures.vocabulary), [expected[name] for name in names])


def named_ids(vocabulary: Vocabulary) -> list[int]:
    """Ids of START, END, NEWLINE, SEP, GRID0, first and last image code, begin of sequence; and the size."""
    return [
        vocabulary.image_start,
        vocabulary.image_end,
        vocabulary.newline,
        vocabulary.separator,
        vocabulary.grid_token(1) - 1,
        vocabulary.first_image_token,
        vocabulary.first_image_token + vocabulary.image_code_count - 1,
        vocabulary.begin_of_sequence,
        vocabulary.size,
    ]


def check_prompts(fixtures: FixtureSet) -> Iterator[Comparison]:
    """Compare each task's question, the token ids of the model's input, and their layout."""
    for name, fixture in fixtures.json(PROMPTS)["tasks"].items():
        vocabulary, text = fixtures.vocabulary, fixtures.text_tokenizer
        request = request_of(vocabulary, fixture["question"], fixture["ids"])
        tokens = open_plan(vocabulary, text, request).tokens
        plan = plan_sequence(vocabulary, text, request)
        where = f"{PROMPTS} {name}"
        yield identical(where, "question", [prompt_text(request)], [fixture["question"]])
        yield identical(where, "ids", tokens, fixture["ids"])
        yield identical(where, "segments", segments_of(fixtures, request, tokens, plan), fixture["segments"])
        if request.task.takes_image:
            keys = ("image_start_index", "h_grid", "w_grid", "tokens_per_row", "rows_given", "rows_total")
            yield identical(where, "given panel", panel_facts(plan), [fixture[key] for key in keys])
            yield from _given_picture(fixtures, where, request)


def segments_of(
    fixtures: FixtureSet, request: PictureRequest, tokens: tuple[int, ...], plan: SequencePlan
) -> list[dict[str, Any]]:
    """Our sequence plan in the fixture's format."""
    names = {token: name for name, token in fixtures.text_tokenizer.token_ids.items()}

    def special(index: int) -> dict[str, Any]:
        return {"kind": "special", "start": index, "token": names[tokens[index]], "id": tokens[index]}

    text = {"kind": "text", "start": 1, "count": plan.image_start - 2, "text": prompt_text(request)}
    segments = [special(0), text]
    for index in range(plan.image_start - 1, len(tokens)):
        cell = plan.shape.cell_at(index - plan.image_start)
        if cell is None:
            segments.append(special(index))
        elif cell[1] == 0:
            segments.append({"kind": "image_tokens", "start": index, "count": plan.shape.columns})
    return segments


def panel_facts(plan: SequencePlan) -> list[int]:
    """Index of the image start, grid height and width, tokens per row, given rows, all rows."""
    shape = plan.shape
    return [
        plan.image_start,
        shape.grid_height,
        shape.grid_width,
        shape.columns,
        plan.result_rows.start,
        shape.rows,
    ]


def _given_picture(fixtures: FixtureSet, where: str, request: PictureRequest) -> Iterator[Comparison]:
    if not fixtures.has(GIVEN_PICTURE):
        return
    size = request.size.width, request.size.height
    data = fixtures.path(GIVEN_PICTURE).read_bytes()
    (grid,) = encode_pixels(fixtures.movqgan, read_pixels(data, max_pixels=MAX_PIXELS, fit=size))
    yield identical(where, f"codes of {GIVEN_PICTURE}", grid.tokens, request.given_codes or ())


def check_whole_picture(fixtures: FixtureSet) -> Iterator[Comparison]:
    """Compare length, header, end and newlines of a completely encoded picture."""
    facts = fixtures.json(WHOLE_PICTURE)
    request = PictureRequest(Task.TEXT_TO_IMAGE, "any", PictureSize(*facts["crop_size"]))
    plan = plan_sequence(fixtures.vocabulary, fixtures.text_tokenizer, request)
    image = plan.tokens[plan.image_start :]
    newlines = [offset for offset in range(plan.shape.length) if plan.shape.is_newline(offset)]
    first_newlines = facts["newline_positions_first"]
    yield identical(
        WHOLE_PICTURE,
        "layout of ids",
        [len(image), list(image[:3]), list(image[-2:]), newlines[: len(first_newlines)], plan.shape.rows],
        [facts["n_ids"], facts["head"], facts["tail"], first_newlines, facts["rows"]],
    )
