"""Read conversations about pictures from JSON: a list of records, or one record per line."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import cast

from training.data.prompt_reading import read_prompt
from training.data.records import Entry, Fault, UserExample
from training.data.texts import plain, read_text
from training.errors import BadDataError, BadRecordError

IMAGE = "<|image|>"
"""Placeholder of a picture in a conversation."""
LINES_SUFFIXES = frozenset({".jsonl", ".ndjson"})
SPEAKERS = ("human", "gpt")
_JSON_ERRORS = (ValueError, RecursionError)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A JSON value that should be a conversation. folder: base of its relative paths."""

    value: object
    folder: Path
    label: str = ""

    def examples(self) -> list[UserExample]:
        """One example per answer. Raises BadRecordError."""
        return list(_examples(self.value, self.folder))


def read_conversations(file: Path) -> list[Entry]:
    """The records of a file, in order; a line that is not JSON becomes a `Fault`.

    Raises BadDataError if the file has neither a list nor lines of records, OSError if it cannot be read.
    """
    try:
        text = read_text(file)
    except BadRecordError as error:
        raise BadDataError(f"{error}; pass a JSON file, or a folder of pictures with captions") from error
    if file.suffix.lower() in LINES_SUFFIXES:
        return _lines(file, text)
    try:
        document: object = json.loads(text)
    except _JSON_ERRORS as error:
        if _is_object(text.strip().partition("\n")[0]):
            return _lines(file, text)
        raise BadDataError(f"{file} is not JSON: {error}") from error
    if isinstance(document, dict) and "conversations" in document:
        document = [cast("object", document)]
    if not isinstance(document, list):
        raise BadDataError(f"{file} contains no list of conversations")
    return [Conversation(value, file.parent) for value in cast("list[object]", document)]


def _lines(file: Path, text: str) -> list[Entry]:
    """One record per line; empty lines are skipped."""
    entries: list[Entry] = []
    for number, line in enumerate(text.split("\n"), 1):
        label = f"line {number}"
        if not line.strip():
            continue
        try:
            entries.append(Conversation(json.loads(line), file.parent, label))
        except _JSON_ERRORS as error:
            entries.append(Fault(label, f"the line is not JSON: {error}"))
    return entries


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except _JSON_ERRORS:
        return False


def _examples(value: object, folder: Path) -> Iterator[UserExample]:
    """One example per answer; a later question without a picture edits the previous answer."""
    texts, pictures = _texts(value), _pictures(value, folder)
    marks = sum(text.count(IMAGE) for text in texts)
    if marks != len(pictures):
        raise BadRecordError(f"the texts have {marks} placeholders {IMAGE} for {len(pictures)} pictures")
    remaining = iter(pictures)
    last: Path | None = None
    for question, answer in zip(texts[::2], texts[1::2], strict=True):
        if answer.strip() != IMAGE:
            raise BadRecordError(f"an answer is {answer[:40]!r}; it must be {IMAGE}")
        given = [next(remaining) for _ in range(question.count(IMAGE))]
        if len(given) > 1:
            raise BadRecordError(f"a question has {len(given)} pictures; at most one is allowed")
        if not given and last is not None:
            given = [last]
        last = next(remaining)
        asked = read_prompt(question.replace(IMAGE, "").strip(), has_image=bool(given))
        yield UserExample(asked, (*given, last))


def _texts(value: object) -> list[str]:
    """The texts of human and model in turn, beginning with the human."""
    match value:
        case {"conversations": [*turns]} if turns:
            texts = [_text(turn, place) for place, turn in enumerate(turns)]
            if len(texts) % 2:
                raise BadRecordError("the last question has no answer")
            return texts
        case dict():
            meant = _did_you_mean("conversations", cast("Mapping[str, object]", value))
            raise BadRecordError(f"it has no list `conversations`{meant}")
        case _:
            raise BadRecordError("it has no list `conversations`")


def _text(turn: object, place: int) -> str:
    speaker = SPEAKERS[place % 2]
    match turn:
        case {"from": str(said), "value": str(text)} if said == speaker:
            return plain(text)
        case {"from": str(said), "value": str()}:
            raise BadRecordError(f"turn {place} is from {said!r}, but must be from {speaker!r}")
        case dict():
            fields = cast("Mapping[str, object]", turn)
            meant = "".join(_did_you_mean(name, fields) for name in ("from", "value"))
            raise BadRecordError(f"turn {place} must have `from`: {speaker!r} and a text as `value`{meant}")
        case _:
            raise BadRecordError(f"turn {place} must have `from`: {speaker!r} and a text as `value`")


def _pictures(value: object, folder: Path) -> list[Path]:
    fields = cast("Mapping[str, object]", value)
    named = fields.get("image")
    names = [named] if isinstance(named, str) else named
    if not isinstance(names, list) or not all(isinstance(name, str) for name in cast("list[object]", names)):
        raise BadRecordError(f"`image` is not a list of paths{_did_you_mean('image', fields)}")
    return [folder / name for name in cast("list[str]", names)]


def _did_you_mean(name: str, fields: Mapping[str, object]) -> str:
    """A hint if a field is missing and another field has a similar name."""
    near = [] if name in fields else get_close_matches(name, fields, n=1)
    return f"; the field `{near[0]}` is unknown, did you mean `{name}`?" if near else ""
