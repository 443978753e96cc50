"""The special tokens, grid tokens and image codes of a model, found by name in its tokenizer.

Ids differ between checkpoints; names do not. The only ids in this module are those of the public checkpoint,
whose image codes have no names.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

from services.worker.engine.errors import GrammarError, ImageSizeError, VocabularyError
from shared.sizes import GRID_PIXELS

IMAGE_START_NAME = "<racm3:break>"
IMAGE_END_NAME = "<eoss>"
NEWLINE_NAME = "<reserved08799>"
SEPARATOR_NAME = "<reserved08706>"

# Lumina-mGPT 2.0 as published (reference at commit f44a4d7): its tokenizer has no names for image codes; its
# inference code adds the code to this base.
PUBLIC_IMAGE_BASE = 155_000
PUBLIC_IMAGE_CODES = 16_384
PUBLIC_IDS = {IMAGE_START_NAME: 151_665, IMAGE_END_NAME: 151_666, NEWLINE_NAME: 151_670}

_IMAGE_CODE_NAME = re.compile(r"<MOVQGAN(0|[1-9][0-9]*)>")


def grid_name(count: int) -> str:
    """Name of the token for a picture that is `count` grids high (or wide)."""
    return f"<reserved{8800 + count:05d}>"


def image_code_name(code: int) -> str:
    return f"<MOVQGAN{code}>"


@dataclass(frozen=True)
class Vocabulary:
    """Token ids by meaning. Image codes are contiguous; no other order of ids is assumed.

    size: number of the model's logits.
    grid_tokens: the token of n grids is `grid_tokens[n - 1]`.
    Raises VocabularyError if two meanings share an id or an id is outside the logits.
    """

    size: int
    begin_of_sequence: int
    separator: int
    image_start: int
    image_end: int
    newline: int
    first_image_token: int
    image_code_count: int
    grid_tokens: tuple[int, ...] = field(repr=False)

    def __post_init__(self) -> None:
        codes = range(self.first_image_token, self.first_image_token + self.image_code_count)
        singles = (
            self.begin_of_sequence,
            self.separator,
            self.image_start,
            self.image_end,
            self.newline,
            *self.grid_tokens,
        )
        if len(set(singles)) < len(singles) or any(token in codes for token in singles):
            raise VocabularyError("two special tokens share an id, or one has the id of an image code")
        if max(*singles, codes[-1]) >= self.size:
            raise VocabularyError(
                f"the tokenizer uses ids up to {max(*singles, codes[-1])}, "
                f"but the model's logits have only {self.size} entries"
            )

    @classmethod
    def from_names(cls, token_ids: Mapping[str, int], *, begin_name: str, size: int) -> Self:
        """Look up all tokens by name.

        token_ids: name -> id of the whole tokenizer, including added tokens.
        begin_name: the first token of every sequence (`TextTokenizer.begin_name`).
        Raises VocabularyError that lists every missing token.
        """
        names = (begin_name, SEPARATOR_NAME, IMAGE_START_NAME, IMAGE_END_NAME, NEWLINE_NAME, grid_name(1))
        missing = [name for name in names if name not in token_ids]
        codes = _image_code_ids(token_ids, size)
        if codes is None:
            missing.append(image_code_name(0))
        if missing or codes is None:
            raise VocabularyError(f"the tokenizer has no token named {', '.join(missing)}")
        return cls(
            size=size,
            begin_of_sequence=token_ids[begin_name],
            separator=token_ids[SEPARATOR_NAME],
            image_start=token_ids[IMAGE_START_NAME],
            image_end=token_ids[IMAGE_END_NAME],
            newline=token_ids[NEWLINE_NAME],
            first_image_token=codes.start,
            image_code_count=len(codes),
            grid_tokens=_grid_tokens(token_ids),
        )

    @property
    def max_grid(self) -> int:
        """The largest side of a picture, in grids of 32 pixels."""
        return len(self.grid_tokens)

    def token_of_code(self, code: int) -> int:
        """The token of an image code. Raises GrammarError for an unknown code."""
        if not 0 <= code < self.image_code_count:
            raise GrammarError(f"image code {code} is outside 0..{self.image_code_count - 1}")
        return self.first_image_token + code

    def code_of_token(self, token: int) -> int:
        """The image code of a token. Raises GrammarError if the token is not an image code."""
        if not self.is_image_token(token):
            raise GrammarError(f"token {token} is not an image code")
        return token - self.first_image_token

    def is_image_token(self, token: int) -> bool:
        return 0 <= token - self.first_image_token < self.image_code_count

    def grid_token(self, count: int) -> int:
        """The token of `count` grids. Raises ImageSizeError outside 1..max_grid."""
        if not 1 <= count <= self.max_grid:
            raise ImageSizeError(
                f"a side of {count * GRID_PIXELS} pixels is not supported: this model draws "
                f"{GRID_PIXELS} to {self.max_grid * GRID_PIXELS}"
            )
        return self.grid_tokens[count - 1]

    def grid_count(self, token: int) -> int:
        """The number of grids of a grid token. Raises GrammarError for any other token."""
        count = self._count_of_grid_token.get(token)
        if count is None:
            raise GrammarError(f"token {token} is not a grid token")
        return count

    @cached_property
    def _count_of_grid_token(self) -> dict[int, int]:
        return {token: index + 1 for index, token in enumerate(self.grid_tokens)}


def _grid_tokens(token_ids: Mapping[str, int]) -> tuple[int, ...]:
    """The grid tokens from one grid up to the first gap; reserved tokens after it have other meanings."""
    tokens: list[int] = []
    while (token := token_ids.get(grid_name(len(tokens) + 1))) is not None:
        tokens.append(token)
    return tuple(tokens)


def _image_code_ids(token_ids: Mapping[str, int], size: int) -> range | None:
    """The ids of codes 0, 1, 2, ...; None if the tokenizer does not name them and is not the public one."""
    ids = {
        int(match[1]): token
        for name, token in token_ids.items()
        if (match := _IMAGE_CODE_NAME.fullmatch(name))
    }
    if not ids:
        is_public = all(token_ids.get(name) == token for name, token in PUBLIC_IDS.items())
        codes = range(PUBLIC_IMAGE_BASE, PUBLIC_IMAGE_BASE + PUBLIC_IMAGE_CODES)
        return codes if is_public and size >= codes.stop else None
    absent = next((code for code in range(len(ids)) if code not in ids), None)
    if absent is not None:
        raise VocabularyError(
            f"the tokenizer names {len(ids)} image codes, but not {image_code_name(absent)}"
        )
    codes = range(ids[0], ids[0] + len(ids))
    stray = next((code for code, token in enumerate(codes) if ids[code] != token), None)
    if stray is not None:
        raise VocabularyError(
            f"image codes are not contiguous: {image_code_name(stray)} has id {ids[stray]}, "
            f"not {codes[stray]}"
        )
    return codes
