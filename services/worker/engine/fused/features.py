"""What of this CPU the compiled code makes use of."""

import ctypes
import sys
from typing import Final

from llvmlite.binding import get_host_cpu_features

_FEATURES = get_host_cpu_features()

LANES: Final = 8
"""Numbers of a vector register of AVX2."""

WIDE: Final = 16 if _FEATURES.get("avx512bw") else LANES
"""Numbers of the widest vector register."""

_SYS_ARCH_PRCTL, _ARCH_REQ_XCOMP_PERM, _TILE_DATA = 158, 0x1023, 18


def _may_use_matrix_units() -> bool:
    """Whether the CPU has Intel's AMX, and Linux lets this process use its registers (asm/prctl.h)."""
    has_all = all(_FEATURES.get(name) for name in ("amx-tile", "amx-int8", "amx-bf16"))
    if not has_all or sys.platform != "linux":
        return False
    return ctypes.CDLL(None).syscall(_SYS_ARCH_PRCTL, _ARCH_REQ_XCOMP_PERM, _TILE_DATA) == 0


MATRIX_UNITS: Final = _may_use_matrix_units()
"""Whether there are units that multiply tiles of 16 rows by 64 bytes."""
