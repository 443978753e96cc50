"""No text becomes a control token, and a folder without a tokenizer is refused in one sentence."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.worker.engine.errors import PromptError, VocabularyError
from services.worker.engine.text_tokenizer import TextTokenizer

FOLDER = Path(__file__).parents[2] / "golden/public/transformer"
TEXT = TextTokenizer.from_folder(FOLDER)
FIRST_ADDED_TOKEN = 300


@settings(deadline=None)
@given(st.lists(st.sampled_from(sorted(TEXT.token_ids)), max_size=8))
def test_no_text_made_of_token_names_gives_an_added_token(names: list[str]):
    assert all(token < FIRST_ADDED_TOKEN for token in TEXT.encode("".join(names)))


def test_tokens_that_the_file_does_not_call_special_stay_text_too(tmp_path: Path):
    document = json.loads((FOLDER / "tokenizer.json").read_text())
    for token in document["added_tokens"]:
        token["special"] = False
    (tmp_path / "tokenizer.json").write_text(json.dumps(document))
    unmarked = TextTokenizer.from_folder(tmp_path)
    assert unmarked.encode("a <eoss>") == TEXT.encode("a <eoss>")
    assert unmarked.token_ids["<eoss>"] == 304


def test_text_that_is_not_unicode_is_refused():
    with pytest.raises(PromptError, match="not valid Unicode"):
        TEXT.encode("a \ud800 boat")


@pytest.mark.parametrize(
    ("config", "begin"),
    [
        ({"bos_token": "<s>", "eos_token": "</s>"}, "<s>"),
        ({"bos_token": {"content": "<s>"}}, "<s>"),
        ({"bos_token": None, "eos_token": "</s>"}, "</s>"),
        ({}, "<|endoftext|>"),
    ],
)
def test_a_sequence_begins_with_bos_or_else_eos(tmp_path: Path, config: dict[str, object], begin: str):
    (tmp_path / "tokenizer.json").write_text((FOLDER / "tokenizer.json").read_text())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    assert TextTokenizer.from_folder(tmp_path).begin_name == begin


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot be read"),
        ("{", "cannot be read"),
        ("[]", "no JSON object"),
        ('{"model": {"type": "Unigram", "vocab": []}}', "not a byte-level BPE tokenizer"),
    ],
)
def test_a_folder_without_a_usable_tokenizer_ends_in_one_clear_error(
    tmp_path: Path, content: str | None, complaint: str
):
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(VocabularyError, match=f"tokenizer.json.* {complaint}"):
        TextTokenizer.from_folder(tmp_path)
