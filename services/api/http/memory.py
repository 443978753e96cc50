"""Return the memory of large bodies to the operating system at once, and keep garbage collections short."""

import ctypes
import gc

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


def exempt_start_up_objects() -> None:
    """Exempt all objects that exist now from garbage collection; call it once the app has been built.

    The modules alone are 200,000 objects, and a full collection looked at all of them: 0.1 s in which no
    request was answered. The second collection resets Python's count of old objects. Python runs a full
    collection after a growth by a quarter, so otherwise garbage of requests would be kept for too long.
    """
    gc.collect()
    gc.freeze()
    gc.collect()
