"""Command line option types that click does not have: words of the API, finite numbers, valid texts."""

import math
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

import click


class Word(click.ParamType[str]):
    """One of several words or their aliases; hyphens are accepted for underscores."""

    name = "word"

    def __init__(self, words: Iterable[str], aliases: Mapping[str, str]) -> None:
        """aliases: from alias to word; aliases of words that are not in `words` are ignored."""
        self.words = tuple(words)
        self._known = {word: word for word in self.words}
        self._known |= {alias: word for alias, word in aliases.items() if word in self.words}

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        given = str(value)
        name = given.lower().replace("-", "_")
        if name not in self._known:
            near = get_close_matches(name, self._known, n=1)
            meant = f"; did you mean '{self._known[near[0]]}'?" if near else ""
            self.fail(f"'{given}' is not one of {', '.join(self.words)}{meant}", param, ctx)
        return self._known[name]

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        del param, ctx
        return f"[{'|'.join(self.words)}]"


class FiniteRange(click.FloatRange):
    """A finite number within bounds: click's range check alone accepts NaN."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


class Ratio(click.ParamType[str]):
    """An aspect ratio, written W:H."""

    name = "W:H"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        if re.fullmatch(r"[1-9][0-9]{0,3}:[1-9][0-9]{0,3}", text) is None:
            self.fail(f"'{text}' is not an aspect ratio such as 3:2", param, ctx)
        return text


class Text(click.ParamType[str]):
    """Valid Unicode text: a shell can pass bytes that are not UTF-8."""

    name = "text"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail("the text is not valid UTF-8", param, ctx)
        return text
