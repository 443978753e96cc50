"""The grammar allows exactly the tokens that the reference's constraint processors allow."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.worker.engine.layout.image_grammar import Allowed, Forced, Free, ImageGrammar
from services.worker.engine.layout.text_tokenizer import TextTokenizer
from services.worker.engine.layout.vocabulary import Vocabulary

PUBLIC = Path(__file__).parent / "public"
TEXT = TextTokenizer.from_folder(PUBLIC / "transformer")
VOCABULARY = Vocabulary.from_names(TEXT.token_ids, begin_name=TEXT.begin_name, size=656)
GRAMMAR = ImageGrammar(VOCABULARY)


def facts(name: str) -> dict[str, Any]:
    return json.loads((PUBLIC / name).read_text())


def mask(vocabulary: Vocabulary, allowed: Allowed) -> np.ndarray:
    """Boolean mask [vocabulary] of the allowed tokens."""
    if allowed is Free.ANYTHING:
        return np.ones(vocabulary.size, dtype=bool)
    tokens = np.arange(vocabulary.size)
    if isinstance(allowed, Forced):
        return tokens == allowed.token
    first = vocabulary.first_image_token
    return (tokens >= first) & (tokens < first + vocabulary.image_code_count)


SINGLE = facts("logits/constraint_topk.json")
WINDOWS = facts("sjd/sjd_processors.json")
REAL = facts("logits/real_vocab.json")


@pytest.mark.parametrize("row", SINGLE["rows"])
def test_one_token_is_constrained_as_in_the_reference(row: str):
    with np.load(PUBLIC / "logits/constraint_topk.npz") as arrays:
        expected = np.isfinite(arrays["constraint"][SINGLE["rows"].index(row)])
    state = GRAMMAR.read(SINGLE["prompt"] + SINGLE["image"][: SINGLE["cut"][row]])
    np.testing.assert_array_equal(mask(VOCABULARY, GRAMMAR.allowed(state)), expected)


@pytest.mark.parametrize("row", WINDOWS["rows"])
def test_a_window_is_constrained_as_in_the_reference(row: str):
    with np.load(PUBLIC / "sjd/sjd_processors.npz") as arrays:
        packed = arrays["keep_constraint"][WINDOWS["rows"].index(row)]
    expected = np.unpackbits(packed, axis=-1, count=VOCABULARY.size).astype(bool)
    state = GRAMMAR.read(WINDOWS["prompt"] + WINDOWS["image"][: WINDOWS["cut"][row]])
    window = GRAMMAR.allowed_window(state, WINDOWS["window"])
    np.testing.assert_array_equal(np.stack([mask(VOCABULARY, allowed) for allowed in window]), expected)


@pytest.mark.parametrize("row", list(REAL["rows"]))
def test_the_public_ids_are_constrained_as_in_the_reference(row: str):
    ids = REAL["ids"]
    public = Vocabulary(
        size=REAL["vocab_size"],
        begin_of_sequence=151_643,
        separator=151_664,
        image_start=ids["START"],
        image_end=ids["END"],
        newline=ids["NEWLINE"],
        first_image_token=ids["IMG_FIRST"],
        image_code_count=REAL["image_last"] + 1 - ids["IMG_FIRST"],
        grid_tokens=tuple(ids["GRID0"] + count for count in range(1, 49)),
    )
    grammar = ImageGrammar(public)
    allowed = grammar.allowed(grammar.read(REAL["prompt"] + REAL["image"][: REAL["cut"][row]]))
    assert mask(public, allowed).sum() == REAL["rows"][row]["finite_after_constraint"]
