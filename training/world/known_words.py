"""The words of all prompts and instructions of the larger world; a model card lists them as `knows`."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final

from shared.known_words import FUNCTION_WORDS, WORD, bases
from training.world import instructions, lexicon, wording

_PLACEHOLDER: Final = re.compile(r"\{\w+\}")
_GLUE: Final = ("with", "empty")
"""Words with a content of their own that programs put between phrases of the tables."""


@cache
def known_words() -> tuple[str, ...]:
    """Words in lower case, those of things and colours first; digits that stand for numbers are among them.

    Function words and inflections of other words are left out: the platform knows them anyway.
    """
    texts: list[str] = []
    for table in (lexicon, wording, instructions):
        for name, value in vars(table).items():
            if name.isupper():
                texts += _texts(value)
    texts += _GLUE
    found = dict.fromkeys(words_of(_PLACEHOLDER.sub(" ", " ".join(texts))))
    return tuple(
        word for word in found if word not in FUNCTION_WORDS and not (bases(word) - {word}) & found.keys()
    )


def words_of(text: str) -> list[str]:
    """The words of a text in lower case."""
    return WORD.findall(text.lower())


def _texts(value: object) -> Iterable[str]:
    """All texts in nested tables; keys that are texts of their own are left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _texts(each)
