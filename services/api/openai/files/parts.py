"""Files that are cut into objects of equal size, so that none of them has to be in memory as a whole."""

from collections.abc import AsyncGenerator

from services.api.process.gateway import Gateway
from shared.storage import part_key
from shared.tables import OpenAIFile

PART_BYTES = 4 * 1024 * 1024
"""Size of the objects of new files; a file remembers its own."""
JSON_LINES = "application/jsonl"


def part_count(file: OpenAIFile) -> int:
    """Number of the file's objects; 0 for a picture."""
    return 0 if file.part_bytes is None else -(-file.byte_size // file.part_bytes)


def part_keys(file: OpenAIFile) -> list[str]:
    """The keys of the file's objects."""
    return [part_key(file.storage_key or "", index) for index in range(part_count(file))]


async def read_parts(gateway: Gateway, file: OpenAIFile) -> AsyncGenerator[bytes]:
    """The whole file in order, an object at a time. Raises StorageError."""
    for key in part_keys(file):
        yield await gateway.storage.get(key)


async def read_range(gateway: Gateway, file: OpenAIFile, start: int, size: int) -> bytes:
    """Up to `size` bytes of the file from an offset. Raises StorageError."""
    part_bytes = file.part_bytes or PART_BYTES
    end = min(start + size, file.byte_size)
    pieces: list[bytes] = []
    while start < end:
        index, offset = divmod(start, part_bytes)
        wanted = min(end - start, part_bytes - offset)
        pieces.append(
            await gateway.storage.get_range(part_key(file.storage_key or "", index), offset, wanted)
        )
        start += wanted
    return b"".join(pieces)
