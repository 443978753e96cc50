"""Words of a prompt that a model was not trained on.

A model folder lists the words that it was trained on (`knows`). Function words, such as articles, count as
known: they say nothing about what a picture shows. Plurals and simple inflections count as their base word.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

UNKNOWN_WORDS: Final = "unknown_words"
"""Code of the warning."""
WORD: Final = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
"""A run of letters and digits, with apostrophes inside it."""
FUNCTION_WORDS: Final = frozenset(
    WORD.findall(
        "a an the this that these those and or but of to in on at by for from with into as so than then also"
        " just only very too is are was were be been being am do does did has have had can could will would"
        " should may might must there here it its they them their he him his she her i me my we us our you"
        " your who whose which what where when how please some any each every all let"
    )
)
"""English words without a content of their own. Words that change a picture are missing on purpose: `no`,
`without`, `behind`, numbers."""
MOST_NAMED: Final = 10
"""Unknown words that a message names."""
MOST_LISTED: Final = 100
"""Known words that a message lists."""
LONGEST_SHOWN: Final = 40
"""Characters of an unknown word that a message shows."""
SHORTEST_BASE: Final = 4
"""Letters that are left when `ing`, `ed`, `er` or `est` is taken off. Shorter rests are other words: `caring`
is no form of `car`."""


def unknown_words(text: str, knows: Iterable[str]) -> list[str]:
    """Words of a text, in lower case and each once, that are no function words or forms of known words."""
    known = set[str]().union(*(bases(word.lower()) for word in knows))
    words = dict.fromkeys(word.lower().replace("\u2019", "'") for word in WORD.findall(text))
    return [word for word in words if word not in FUNCTION_WORDS and known.isdisjoint(bases(word))]


def bases(word: str) -> set[str]:
    """The word and the words of which it may be an inflection: `stars` gives `star` as well."""
    found = {word}
    if word.endswith(("'s", "s'")):
        word = word[:-2]
        found.add(word)
    if word.endswith("s") and not word.endswith("ss") and len(word) > SHORTEST_BASE - 1:
        found |= {word[:-1], *([word[:-2]] if word.endswith("es") else [])}
        found |= {word[:-3] + "y"} if word.endswith("ies") else set()
    for ending in ("ing", "ed", "er", "est"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= SHORTEST_BASE - 1:
            rest = {stem, stem + "e", stem[:-1] if stem[-1] == stem[-2] else stem}
            found |= {base for base in rest if len(base) >= SHORTEST_BASE}
    return found


def unknown_words_warning(param: str, text: str, knows: Sequence[str]) -> dict[str, Any] | None:
    """The `warnings` entry of a job for one of its texts; None if the model knows all of its words.

    param: name of the request's field.
    """
    words = unknown_words(text, knows)
    if not words:
        return None
    listed = ", ".join(knows[:MOST_LISTED]) + (", \u2026" if len(knows) > MOST_LISTED else "")
    message = f"{named(words)} unknown to this model; it knows: {listed}"
    return {"code": UNKNOWN_WORDS, "param": param, "message": message, "words": words}


def named(words: Sequence[str]) -> str:
    """`cat` is, or `cat` and `dog` are; after the first ones their number."""
    shown = [f"`{word[:LONGEST_SHOWN]}`" for word in words[:MOST_NAMED]]
    if len(words) > MOST_NAMED:
        shown.append(f"{len(words) - MOST_NAMED} more")
    if len(shown) == 1:
        return f"{shown[0]} is"
    return f"{', '.join(shown[:-1])} and {shown[-1]} are"
