"""Return freed memory to the system; the C library keeps freed pages that lie between used ones."""

import ctypes
from functools import cache
from typing import Protocol, cast


class _Trim(Protocol):
    def __call__(self, kept: int) -> int: ...


def give_back_freed_memory() -> None:
    """Return free pages of the heap to the system. Does nothing if the C library is not glibc."""
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> _Trim | None:
    try:
        return cast("_Trim", ctypes.CDLL(None).malloc_trim)
    except (AttributeError, OSError):
        return None
