"""Matrix product kernels for each precision, and the self-check that they are batch-invariant."""
