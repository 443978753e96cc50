"""Read text files of any editor: byte-order marks are removed, line ends become line feeds."""

import codecs
from pathlib import Path

from training.errors import BadRecordError

_BYTE_ORDER_MARK = "\ufeff"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(file: Path) -> str:
    """The text of a file in UTF-8, with or without a byte-order mark, or in UTF-16 with one.

    Raises BadRecordError for any other encoding, OSError if the file cannot be read.
    """
    data = file.read_bytes()
    try:
        return plain(data.decode("utf-16" if data.startswith(_UTF_16) else "utf-8"))
    except UnicodeDecodeError as error:
        raise BadRecordError(f"{file.name} is not UTF-8 text; save it as UTF-8") from error


def plain(text: str) -> str:
    """The text without a leading byte-order mark, and with a line feed for every kind of line end."""
    return text.removeprefix(_BYTE_ORDER_MARK).replace("\r\n", "\n").replace("\r", "\n")
