"""The supported picture formats, recognized by the first bytes of a file, not by its name."""

from dataclasses import dataclass
from pathlib import PurePath


@dataclass(frozen=True)
class PictureFormat:
    """One file format of pictures."""

    name: str
    media_type: str
    suffixes: tuple[str, ...]
    """File name suffixes in lower case. The `.mpo` files of phones are JPEGs with further pictures."""
    signature: bytes
    """The first bytes of a file."""
    mark: bytes = b""
    """Further bytes of the signature, after a gap of four bytes."""

    def begins(self, data: bytes) -> bool:
        """Whether the file begins with the signature of this format."""
        after = len(self.signature) + 4
        return data.startswith(self.signature) and data[after : after + len(self.mark)] == self.mark


PNG = PictureFormat("PNG", "image/png", (".png", ".apng"), b"\x89PNG\r\n\x1a\n")
JPEG = PictureFormat("JPEG", "image/jpeg", (".jpg", ".jpeg", ".jfif", ".jpe", ".mpo"), b"\xff\xd8\xff")
WEBP = PictureFormat("WebP", "image/webp", (".webp",), b"RIFF", b"WEBP")
GIF = PictureFormat("GIF", "image/gif", (".gif",), b"GIF8")

FORMATS = (PNG, JPEG, WEBP, GIF)
FORMAT_NAMES = "PNG, JPEG, WebP or GIF"
MEDIA_TYPES = tuple(known.media_type for known in FORMATS)
PICTURE_SUFFIXES = tuple(suffix for known in FORMATS for suffix in known.suffixes)
"""Suffixes of supported files, in lower case with the dot."""
OTHER_PICTURE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".exr", ".heic", ".heif", ".ico", ".jp2", ".jxl", ".pbm", ".pgm", ".ppm", ".psd"}
    | {".raw", ".svg", ".tga", ".tif", ".tiff"}
)
"""Suffixes of picture formats that are not supported, for messages that say so."""


def find_format(data: bytes) -> PictureFormat | None:
    """The format of a file; None if it is not supported."""
    return next((known for known in FORMATS if known.begins(data)), None)


def is_picture_name(path: PurePath) -> bool:
    """Whether the file has a suffix of a supported format, in any case."""
    return path.suffix.lower() in PICTURE_SUFFIXES


def is_other_picture_name(path: PurePath) -> bool:
    """Whether the file has a suffix of a picture format that is not supported."""
    return path.suffix.lower() in OTHER_PICTURE_SUFFIXES
