"""The protocol between a decoder process and its parent: one frame for a request, one for the answer.

A frame is a JSON head and a body of bytes. The head is not a pickle, because a compromised decoder must not
be able to run code in its parent.
"""

import json
import struct
from dataclasses import dataclass, field
from typing import Any, BinaryIO

LENGTHS = struct.Struct(">IQ")
"""Length of the head, length of the body, in bytes."""


@dataclass(frozen=True)
class Frame:
    """A request or an answer."""

    head: dict[str, Any]
    body: bytes = field(default=b"", repr=False)

    def encoded(self) -> bytes:
        """Lengths and head; the body has to follow."""
        head = json.dumps(self.head).encode()
        return LENGTHS.pack(len(head), len(self.body)) + head


def read_frame(stream: BinaryIO) -> Frame | None:
    """The next frame; None at the end of the stream."""
    lengths = stream.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        return None
    head, body = LENGTHS.unpack(lengths)
    return Frame(json.loads(stream.read(head)), stream.read(body))


def write_frame(stream: BinaryIO, frame: Frame) -> None:
    """Write a frame and flush the stream."""
    stream.write(frame.encoded())
    stream.write(frame.body)
    stream.flush()
