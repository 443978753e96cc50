"""CPU features that the compiled code uses."""

import ctypes
import sys
from typing import Final

from llvmlite.binding import get_host_cpu_features

_FEATURES = get_host_cpu_features()

LANES: Final = 8
"""float32 numbers in an AVX2 register."""

WIDE: Final = 16 if _FEATURES.get("avx512bw") else LANES
"""float32 numbers in the widest vector register of this CPU."""

_SYS_ARCH_PRCTL, _ARCH_REQ_XCOMP_PERM, _TILE_DATA = 158, 0x1023, 18


def _may_use_matrix_units() -> bool:
    """Whether the CPU has Intel AMX and Linux grants this process its tile registers (asm/prctl.h)."""
    has_all = all(_FEATURES.get(name) for name in ("amx-tile", "amx-int8", "amx-bf16"))
    if not has_all or sys.platform != "linux":
        return False
    return ctypes.CDLL(None).syscall(_SYS_ARCH_PRCTL, _ARCH_REQ_XCOMP_PERM, _TILE_DATA) == 0


MATRIX_UNITS: Final = _may_use_matrix_units()
"""Whether AMX may be used: matrix units that multiply tiles of 16 rows by 64 bytes."""


def tile_set() -> str:
    """Name of the instruction set that the compiled tiles use: amx, avx512 or avx2."""
    if MATRIX_UNITS:
        return "amx"
    return "avx512" if WIDE > LANES else "avx2"
