"""The user's own pictures and words: a JSON list of conversations, or a folder of pictures with captions.

A record is read without touching its pictures. What is wrong with it is said in one sentence, by record.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from training.data.prompt_reading import AskedTask, read_prompt

IMAGE = "<|image|>"
"""Where a picture stands in a conversation."""
PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif"})


class BadDataError(ValueError):
    """What is wrong with a whole file."""


class BadRecordError(ValueError):
    """What is wrong with one record."""


@dataclass(frozen=True, slots=True)
class UserExample:
    """One picture to learn. pictures: the upper panel and the lower one, or one file for everything."""

    asked: AskedTask
    pictures: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """One record by its place, before it is understood.

    index: from 0. entry: the JSON value, or the picture of a caption.
    """

    index: int
    entry: object
    folder: Path

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"record {self.index}" + (f" ({self.entry.name})" if isinstance(self.entry, Path) else "")

    def examples(self) -> list[UserExample]:
        """What there is to learn from it, one example for each answer. Raises BadRecordError."""
        if isinstance(self.entry, Path):
            return [_captioned(self.entry)]
        return list(_conversation(self.entry, self.folder))


def read_records(source: Path) -> list[Record]:
    """All records of a JSON file or a folder.

    Raises BadDataError for a file that holds no JSON list, OSError for one that cannot be read.
    """
    if source.is_dir():
        files = sorted(file for file in source.rglob("*") if file.is_file())
        pictures = [file for file in files if file.suffix.lower() in PICTURE_SUFFIXES]
        told = {picture.with_suffix("") for picture in pictures}
        alone = [file for file in files if file.suffix == ".txt" and file.with_suffix("") not in told]
        return [Record(index, file, source) for index, file in enumerate(sorted(pictures + alone))]
    try:
        document: object = json.loads(source.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadDataError(f"{source} is not JSON: {error}") from error
    if not isinstance(document, list):
        raise BadDataError(f"{source} holds no list of conversations")
    return [Record(index, entry, source.parent) for index, entry in enumerate(cast("list[object]", document))]


def _captioned(picture: Path) -> UserExample:
    caption_file = picture.with_suffix(".txt")
    if picture == caption_file:
        raise BadRecordError("the caption has no picture beside it")
    if not caption_file.is_file():
        raise BadRecordError(f"there is no caption {caption_file.name}")
    try:
        caption = caption_file.read_text(encoding="utf-8").strip()
    except ValueError as error:
        raise BadRecordError(f"{caption_file.name} is not UTF-8 text") from error
    return UserExample(read_prompt(caption, has_image=False), (picture,))


def _conversation(entry: object, folder: Path) -> Iterator[UserExample]:
    """One example for each answer; an instruction without a picture goes on from the last answer."""
    texts, pictures = _texts(entry), _pictures(entry, folder)
    marks = sum(text.count(IMAGE) for text in texts)
    if marks != len(pictures):
        raise BadRecordError(f"the texts have {marks} marks {IMAGE} for {len(pictures)} pictures")
    remaining = iter(pictures)
    last: Path | None = None
    for question, answer in zip(texts[::2], texts[1::2], strict=True):
        if answer.strip() != IMAGE:
            raise BadRecordError(f"an answer is {answer[:40]!r}; it has to be {IMAGE}")
        given = [next(remaining) for _ in range(question.count(IMAGE))]
        if len(given) > 1:
            raise BadRecordError(f"a question has {len(given)} pictures; one can be given")
        if not given and last is not None:
            given = [last]
        last = next(remaining)
        asked = read_prompt(question.replace(IMAGE, "").strip(), has_image=bool(given))
        yield UserExample(asked, (*given, last))


def _texts(entry: object) -> list[str]:
    """What human and model say in turn, human first."""
    match entry:
        case {"conversations": [*turns]} if turns:
            texts: list[str] = []
            for place, turn in enumerate(turns):
                speaker = ("human", "gpt")[place % 2]
                match turn:
                    case {"from": str(said), "value": str(text)} if said == speaker:
                        texts.append(text)
                    case _:
                        raise BadRecordError(f"turn {place} is not a {speaker} turn with a text as its value")
            if len(texts) % 2:
                raise BadRecordError("the last question has no answer")
            return texts
        case _:
            raise BadRecordError("there is no list of conversations in it")


def _pictures(entry: object, folder: Path) -> list[Path]:
    named = cast("Mapping[str, object]", entry).get("image")
    names = [named] if isinstance(named, str) else named
    if not isinstance(names, list) or not all(isinstance(name, str) for name in cast("list[object]", names)):
        raise BadRecordError("image is not a list of paths")
    return [folder / name for name in cast("list[str]", names)]
