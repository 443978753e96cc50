"""Prompts, ids and layouts of all eight reference commands, and their image headers."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.worker.engine.layout.open_plan import open_plan
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.layout.prompts import PictureRequest, prompt_text
from services.worker.engine.layout.sequence_plan import SequencePlan, plan_sequence
from services.worker.engine.layout.text_tokenizer import TextTokenizer
from services.worker.engine.layout.vocabulary import Vocabulary
from shared.tasks import MAP_ALIASES, MapKind, Task

PUBLIC = Path(__file__).parent / "public"
PROMPTS = json.loads((PUBLIC / "layout/prompts.json").read_text())
IDS = json.loads((PUBLIC / "idmap.json").read_text())
TEXT = TextTokenizer.from_folder(PUBLIC / "transformer")
VOCABULARY = Vocabulary.from_names(TEXT.token_ids, begin_name=TEXT.begin_name, size=IDS["vocab_size"])
NAMES = {token: name for name, token in TEXT.token_ids.items()}


def map_of(kind: str) -> MapKind:
    return MapKind(MAP_ALIASES.get(kind, kind))


def request_of(command: str) -> PictureRequest:
    """The request of a reference command, with the fixture's prompt and given panel."""
    fixture = PROMPTS["tasks"][command]
    whole = PictureSize(PROMPTS["width"], PROMPTS["height"])
    prompt = fixture["question"].split("\n", maxsplit=1)[1]
    family, _, kind = command.partition("_")
    if family == "t2i":
        return PictureRequest(Task.TEXT_TO_IMAGE, prompt, whole)
    if family == "pair":
        return PictureRequest(Task.IMAGE_PAIR, prompt, whole, map=map_of(kind))
    task, chosen = (Task.SUBJECT, None) if kind == "subject" else (Task.CONTROL, map_of(kind))
    image = fixture["ids"][fixture["image_start_index"] :]
    given = tuple(VOCABULARY.code_of_token(token) for token in image if VOCABULARY.is_image_token(token))
    return PictureRequest(
        task, prompt, PictureSize(whole.width, whole.height // 2), map=chosen, given_codes=given
    )


def segments_of(tokens: tuple[int, ...], plan: SequencePlan, text: str) -> list[dict[str, Any]]:
    """Describe the sequence of a plan as the fixture does."""

    def special(index: int) -> dict[str, Any]:
        return {"kind": "special", "start": index, "token": NAMES[tokens[index]], "id": tokens[index]}

    segments = [special(0), {"kind": "text", "start": 1, "count": plan.image_start - 2, "text": text}]
    for index in range(plan.image_start - 1, len(tokens)):
        cell = plan.shape.cell_at(index - plan.image_start)
        if cell is None:
            segments.append(special(index))
        elif cell[1] == 0:
            segments.append({"kind": "image_tokens", "start": index, "count": plan.shape.columns})
    return segments


def test_the_vocabulary_is_the_fixtures():
    assert VOCABULARY.begin_of_sequence == IDS["BOS_USED"]
    assert VOCABULARY.separator == IDS["SEP"]
    assert (VOCABULARY.image_start, VOCABULARY.image_end) == (IDS["START"], IDS["END"])
    assert VOCABULARY.newline == IDS["NEWLINE"]
    assert VOCABULARY.grid_token(3) == IDS["GRID0"] + 3
    assert VOCABULARY.token_of_code(0) == IDS["IMG_FIRST"]
    assert VOCABULARY.token_of_code(VOCABULARY.image_code_count - 1) == IDS["IMG_LAST"]


@pytest.mark.parametrize("command", list(PROMPTS["tasks"]))
def test_prompt_and_ids_are_the_references(command: str):
    fixture = PROMPTS["tasks"][command]
    request = request_of(command)
    assert prompt_text(request) == fixture["question"]
    assert list(open_plan(VOCABULARY, TEXT, request).tokens) == fixture["ids"]


@pytest.mark.parametrize("command", list(PROMPTS["tasks"]))
def test_the_layout_is_the_references(command: str):
    fixture = PROMPTS["tasks"][command]
    request = request_of(command)
    plan = plan_sequence(VOCABULARY, TEXT, request)
    tokens = open_plan(VOCABULARY, TEXT, request).tokens
    assert segments_of(tokens, plan, fixture["question"]) == fixture["segments"]
    assert plan.tokens[: len(tokens)] == tokens


@pytest.mark.parametrize("command", [name for name in PROMPTS["tasks"] if name.startswith("i2i")])
def test_a_given_panel_fills_the_upper_half(command: str):
    fixture = PROMPTS["tasks"][command]
    plan = plan_sequence(VOCABULARY, TEXT, request_of(command))
    assert plan.image_start == fixture["image_start_index"]
    assert (plan.shape.grid_height, plan.shape.grid_width) == (fixture["h_grid"], fixture["w_grid"])
    assert (plan.shape.rows, plan.shape.columns) == (fixture["rows_total"], fixture["tokens_per_row"])
    assert plan.result_rows == range(fixture["rows_given"], fixture["rows_total"])


def test_a_whole_picture_has_the_references_length_and_newlines():
    facts = json.loads((PUBLIC / "layout/process_image_layout.json").read_text())
    width, height = facts["crop_size"]
    plan = plan_sequence(
        VOCABULARY, TEXT, PictureRequest(Task.TEXT_TO_IMAGE, "a boat", PictureSize(width, height))
    )
    image = plan.tokens[plan.image_start :]
    newlines = [offset for offset in range(plan.shape.length) if plan.shape.is_newline(offset)]
    assert len(image) == facts["n_ids"]
    assert list(image[:3]) == facts["head"]
    assert list(image[-2:]) == facts["tail"]
    assert newlines[:3] == facts["newline_positions_first"]
    assert plan.shape.rows == facts["rows"]


@pytest.mark.parametrize(("run", "command"), [("t2i", "t2i"), ("i2i", "i2i_depth")])
def test_the_plan_names_every_free_cell_of_a_whole_reference_run(run: str, command: str):
    greedy = json.loads((PUBLIC / "generate/greedy.json").read_text())["fp32"][run]
    plan = plan_sequence(VOCABULARY, TEXT, request_of(command))
    tokens = [*greedy["prompt_ids"], *greedy["new_ids"]]
    assert len(tokens) == len(plan.tokens)
    assert all(planned in {None, token} for planned, token in zip(plan.tokens, tokens, strict=True))
    assert len(plan.result_codes(tokens)) == len(plan.free_positions)
