"""Compile the CPU's forward passes for this machine's CPU: `python -m infra.containers.compile_ahead MODEL`.

The compiled code depends on the precision and the CPU, but not on the model: any small model will do. It is
written to NUMBA_CACHE_DIR.
"""

import sys
from pathlib import Path

from services.worker.engine.kernels.precision import Precision
from services.worker.engine.loading.load import load_model

PRECISIONS = ("fp32", "bf16", "fp32+int8", "bf16+int8")
"""All that the compiled passes support."""

if __name__ == "__main__":
    for name in PRECISIONS:
        load_model(Path(sys.argv[1]), Precision.from_name(name), fused=True)
