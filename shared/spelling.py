"""Suggest the word that a misspelt one was probably meant to be."""

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST_WORD = 100
"""Characters of an unknown word that are compared and shown; the comparison takes quadratic time."""


def nearest_word(word: str, known: Iterable[str], near: float = 0.6) -> str | None:
    """The known word that is most similar to `word`, ignoring case; None if none is similar enough.

    near: the least similarity, from 0 to 1.
    """
    by_lower = {name.lower(): name for name in known}
    found = get_close_matches(word[:LONGEST_WORD].lower(), by_lower, n=1, cutoff=near)
    return by_lower[found[0]] if found else None


def no_such_name(kind: str, word: str, known: Iterable[str]) -> str:
    """A sentence such as: There is no field `promt`; did you mean `prompt`?"""
    nearest = nearest_word(word, known)
    shown = word if len(word) <= LONGEST_WORD else word[:LONGEST_WORD] + "..."
    hint = f"; did you mean `{nearest}`?" if nearest else "."
    return f"There is no {kind} `{shown}`{hint}"
