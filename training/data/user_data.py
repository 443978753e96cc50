"""Read a user's own data: JSON conversations, or a folder of pictures with captions.

Pictures are not opened here. The error message of a bad record is one sentence.
"""

from pathlib import Path

from shared.pictures.formats import is_other_picture_name, is_picture_name
from training.data.captioned_folder import read_captioned_folder
from training.data.conversations import read_conversations
from training.data.records import Record
from training.errors import BadDataError


def read_records(source: Path) -> list[Record]:
    """All records of a JSON file, a file of JSON lines or a folder.

    Raises BadDataError if there are none, OSError if the source cannot be read.
    """
    if source.is_dir():
        entries = read_captioned_folder(source)
    elif is_picture_name(source) or is_other_picture_name(source):
        raise BadDataError(f"{source} is a picture; pass its folder, or a JSON file of conversations")
    else:
        entries = read_conversations(source)
    if not entries:
        raise BadDataError(f"{source} contains no records")
    return [Record(index, entry) for index, entry in enumerate(entries)]
