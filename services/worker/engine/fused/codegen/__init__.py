"""LLVM code for what numba cannot express: register tiles, atomics, AMX. Nothing here knows the model."""
