"""A small byte-level BPE tokenizer with the special tokens of the public model, trained on scene prompts."""

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from services.worker.engine.layout.text_tokenizer import DEFAULT_BEGIN_NAME
from services.worker.engine.layout.vocabulary import (
    IMAGE_END_NAME,
    IMAGE_START_NAME,
    NEWLINE_NAME,
    SEPARATOR_NAME,
    grid_name,
    image_code_name,
)

_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Pattern that splits text before BPE. The public model has it from Qwen 2 (tokenizer.json)."""


def train_text_vocabulary(prompts: Iterable[str], *, words: int, codes: int, grids: int) -> Tokenizer:
    """A tokenizer with all 256 bytes, `words` learned pieces of text, and every control token.

    codes: number of image codes. grids: longest side of a picture, in units of 32 pixels.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=len(alphabet) + words, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(prompts, trainer)
    control = [
        DEFAULT_BEGIN_NAME,
        IMAGE_START_NAME,
        IMAGE_END_NAME,
        NEWLINE_NAME,
        SEPARATOR_NAME,
        *(grid_name(count) for count in range(1, grids + 1)),
        *(image_code_name(code) for code in range(codes)),
    ]
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in control])
    return tokenizer


def write_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json; the latter names the begin and end tokens."""
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": DEFAULT_BEGIN_NAME,
        "eos_token": IMAGE_END_NAME,
        "pad_token": DEFAULT_BEGIN_NAME,
        "clean_up_tokenization_spaces": False,
    }
    text = json.dumps(settings, indent=2)
    (folder / "tokenizer_config.json").write_text(text + "\n", encoding="utf-8")
