"""No text becomes a control token, and a folder without a tokenizer raises one clear error."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from services.worker.engine.errors import PromptError, VocabularyError
from services.worker.engine.layout.text_tokenizer import TextTokenizer

FOLDER = Path(__file__).parents[2] / "golden/public/transformer"
TEXT = TextTokenizer.from_folder(FOLDER)
FIRST_ADDED_TOKEN = 300
TINY = Path(__file__).parents[3] / "models/tiny"
PROMPT = "Generate an image of 64x64 according to the following prompt:\na red star and a blue ball"


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
        ("[]", "not a JSON object"),
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


@pytest.mark.parametrize("setting", ["truncation", "padding", "dropout"])
def test_saved_truncation_and_padding_change_no_prompt(tmp_path: Path, setting: str):
    """Regression: of 23 tokens, a saved truncation left 6, and a saved padding made them 64."""
    saved = Tokenizer.from_file(str(TINY / "tokenizer.json"))
    match setting:
        case "truncation":
            saved.enable_truncation(max_length=6)
        case "padding":
            saved.enable_padding(length=64)
        case _:
            saved.model.dropout = 0.9
    saved.save(str(tmp_path / "tokenizer.json"))
    plain = TextTokenizer.from_folder(TINY).encode(PROMPT)
    assert len(plain) == 23
    assert TextTokenizer.from_folder(tmp_path).encode(PROMPT) == plain
