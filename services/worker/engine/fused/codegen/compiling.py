"""Compiler options, and the cache key of compiled entry points."""

import hashlib
from pathlib import Path
from typing import Any, Final

from numba import njit

from services.worker.engine.fused.codegen.features import MATRIX_UNITS

_INNER: Final[dict[str, Any]] = {
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
"""The numpy error model skips the check for zero divisors, so that divisions are vectorised. Functions that
only compiled code calls get no wrappers for Python or C, which saves compile time."""

compiled: Any = njit(**_INNER)
compiled_sums: Any = njit(fastmath={"reassoc", "contract", "nsz"}, **_INNER)
"""Also lets the compiler reorder sums into vector lanes. The order is fixed at compile time and therefore the
same for every row."""


def entry(function: Any) -> Any:
    """Compile a function that Python calls, and cache it on disk.

    numba's cache key covers the function's code and its closure variables.
    """
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:  # there is no writable cache folder
        return njit(nogil=True)(function)


def sources_digest() -> str:
    """Hash of all source files of this package and of whether AMX may be used.

    Every entry point has it as a closure variable, so that a change in any file invalidates numba's cache;
    numba itself checks only the entry point's file and the CPU.
    """
    digest = hashlib.sha256(bytes([MATRIX_UNITS]))
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()
