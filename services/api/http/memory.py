"""Return the memory of large bodies to the operating system as soon as it is freed."""

import ctypes

M_MMAP_THRESHOLD = -3
"""Number of this setting in glibc (malloc.h)."""
THRESHOLD_BYTES = 1 << 20


def return_large_blocks() -> None:
    """Let glibc allocate blocks of a megabyte and more with mmap, so that freeing them returns them.

    By default each freed large block raises glibc's threshold for mmap, up to 32 MB; bodies are then kept in
    the heap, which does not shrink. Other C libraries do not have this setting; nothing changes there.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, THRESHOLD_BYTES)
