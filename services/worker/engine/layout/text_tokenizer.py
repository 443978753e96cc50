"""Encode text as token ids; no text can become a control token."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

from tokenizers import Tokenizer

from services.worker.engine.errors import PromptError, VocabularyError

DEFAULT_BEGIN_NAME = "<|endoftext|>"


@dataclass(frozen=True)
class TextTokenizer:
    """The byte-level BPE of a `tokenizer.json`, without its added tokens.

    token_ids: name -> id of every token, including added ones.
    begin_name: the first token of every sequence: the tokenizer's begin-of-sequence token or, if it has none,
    its end-of-sequence token, as in the reference (xllmx/model/tokenizer.py:41).
    """

    token_ids: Mapping[str, int]
    begin_name: str
    _bpe: Tokenizer

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """Read `tokenizer.json` and, if it exists, `tokenizer_config.json`.

        Raises VocabularyError if a file is missing, unreadable or not a BPE tokenizer.
        """
        document = _read_json(folder / "tokenizer.json")
        model = document.get("model")
        if not isinstance(model, dict) or not isinstance(model.get("vocab"), dict) or "merges" not in model:
            raise VocabularyError(f"{folder / 'tokenizer.json'} is not a byte-level BPE tokenizer")
        added = cast("list[dict[str, Any]]", document.get("added_tokens", []))
        token_ids = {
            **cast("dict[str, int]", model["vocab"]),
            **{token["content"]: token["id"] for token in added},
        }
        try:
            bpe = Tokenizer.from_str(json.dumps(_plain_encoding(document)))
        except Exception as error:
            raise VocabularyError(f"{folder / 'tokenizer.json'} cannot be used: {error}") from error
        return cls(token_ids=token_ids, begin_name=_begin_name(folder / "tokenizer_config.json"), _bpe=bpe)

    def encode(self, text: str) -> tuple[int, ...]:
        """Encode text; the result has no special tokens. Raises PromptError for text that is not Unicode."""
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise PromptError(f"the text is not valid Unicode: {error.reason}") from error
        return tuple(self._bpe.encode(text, add_special_tokens=False).ids)


def _plain_encoding(document: dict[str, Any]) -> dict[str, Any]:
    """The document without settings and tokens that must not affect prompts.

    Truncation would cut prompts without a warning, padding would lengthen them, dropout of merges would
    encode them at random. The library replaces added tokens in a text before BPE; without them, "<eoss>" in a
    prompt is encoded as six ordinary characters.
    """
    model = {**document["model"], "dropout": None}
    return {**document, "added_tokens": [], "truncation": None, "padding": None, "model": model}


def _begin_name(config_path: Path) -> str:
    config = _read_json(config_path) if config_path.exists() else {}
    for key in ("bos_token", "eos_token"):
        match config.get(key):
            case str(name) | {"content": str(name)}:
                return name
            case _:
                continue
    return DEFAULT_BEGIN_NAME


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise VocabularyError(f"{path} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise VocabularyError(f"{path} is not a JSON object")
    return cast("dict[str, Any]", document)
