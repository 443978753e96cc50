"""How functions are compiled, and when what was compiled before is still good."""

import hashlib
from pathlib import Path
from typing import Any, Final

from numba import njit

from services.worker.engine.fused.features import MATRIX_UNITS

_INNER: Final[dict[str, Any]] = {
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
"""Divide whole vectors, without a look for zeros. What only compiled functions call needs no doors to Python,
which take time to make."""

compiled: Any = njit(**_INNER)
compiled_sums: Any = njit(fastmath={"reassoc", "contract", "nsz"}, **_INNER)
"""Sums over vector lanes: in another order than written, but in one order for every row."""


def entry(function: Any) -> Any:
    """What Python calls; kept on disk, under a key of its own code and the variables that it encloses."""
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:  # there is no place to write to
        return njit(nogil=True)(function)


def sources_digest() -> str:
    """Of all files of this package, and of what they find here beside the CPU's kind.

    Every entry encloses it: numba itself watches the entry's own file and the CPU.
    """
    digest = hashlib.sha256(bytes([MATRIX_UNITS]))
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()
