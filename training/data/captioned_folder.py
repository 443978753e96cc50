"""Read a folder of pictures, each with its caption in a text file of the same name."""

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shared.pictures.formats import PICTURE_SUFFIXES, is_other_picture_name, is_picture_name
from training.data.prompt_reading import read_prompt
from training.data.records import Entry, Fault, UserExample
from training.data.sequences import TOKENS_FILE
from training.data.texts import read_text
from training.errors import BadDataError, BadRecordError

CAPTION_SUFFIX = ".txt"
_SUPPORTED = f"supported pictures are {', '.join(PICTURE_SUFFIXES)}"


@dataclass(frozen=True, slots=True)
class CaptionedPicture:
    """A picture and its caption file."""

    picture: Path
    caption: Path

    @property
    def label(self) -> str:
        """File name of the picture."""
        return self.picture.name

    def examples(self) -> list[UserExample]:
        """The picture as the only example. Raises BadRecordError if the caption cannot be read."""
        try:
            text = read_text(self.caption).strip()
        except OSError as error:
            raise BadRecordError(f"{self.caption.name} cannot be read: {error.strerror}") from error
        return [UserExample(read_prompt(text, has_image=False), (self.picture,))]


def read_captioned_folder(folder: Path) -> list[Entry]:
    """Pictures with captions, in the order of their paths; one without the other becomes a `Fault`.

    Raises BadDataError if the folder has neither, OSError if it cannot be read.
    """
    beside: defaultdict[Path, list[Path]] = defaultdict(list)
    entries: list[tuple[Path, Entry]] = []
    for file in find_files(folder):
        if not file.exists():
            entries.append((file, Fault(file.name, f"{file} is a broken link")))
        elif file.is_file():
            beside[file.with_suffix("")].append(file)
    for files in beside.values():
        entries.extend(_pair(files))
    if not entries:
        raise BadDataError(_why_empty(folder))
    return [entry for _, entry in sorted(entries, key=lambda item: item[0])]


def find_files(folder: Path) -> list[Path]:
    """All paths in a folder and its subfolders that are not folders, sorted.

    Links to folders are followed, but each folder is read only once, so links cannot form an endless loop.
    Hidden names are left out, like `._boat.png`, which macOS writes beside a picture on foreign disks.
    """
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    folders, links = [folder], list[Path]()
    while folders or links:
        current = folders.pop() if folders else links.pop()
        status = current.stat()
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(current) as items:
            names = sorted((item for item in items if not item.name.startswith(".")), key=lambda i: i.name)
        for item in names:
            if item.is_dir():
                (links if item.is_symlink() else folders).append(current / item.name)
            else:
                found.append(current / item.name)
    return sorted(found)


def _pair(files: list[Path]) -> Iterator[tuple[Path, Entry]]:
    """The entries of files whose paths differ only in the suffix."""
    captions = [file for file in files if file.suffix.lower() == CAPTION_SUFFIX]
    pictures = [file for file in files if is_picture_name(file)]
    others = [file for file in files if is_other_picture_name(file)]
    for picture in pictures:
        if len(captions) == 1:
            yield picture, CaptionedPicture(picture, captions[0])
        elif captions:
            names = " and ".join(caption.name for caption in captions)
            yield picture, Fault(picture.name, f"there are two captions, {names}; keep one")
        else:
            wanted = picture.with_suffix(CAPTION_SUFFIX).name
            yield picture, Fault(picture.name, f"there is no caption {wanted}")
    for other in others:
        message = f"{other.name} has an unsupported format: save it as PNG or JPEG; {_SUPPORTED}"
        yield other, Fault(other.name, message)
    if not pictures and not others:
        for caption in captions:
            yield caption, Fault(caption.name, f"the caption has no picture of the same name; {_SUPPORTED}")


def _why_empty(folder: Path) -> str:
    if (folder / TOKENS_FILE).exists():
        return f"{folder} contains sequences already; pass it to training.finetune"
    lists = sorted(file.name for file in folder.iterdir() if file.suffix.lower() in {".json", ".jsonl"})
    if lists:
        return f"{folder} contains no picture with a caption; to read {lists[0]}, pass that file"
    return f"{folder} contains no picture with a caption in a .txt file of the same name; {_SUPPORTED}"
