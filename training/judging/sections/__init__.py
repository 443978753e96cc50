"""The sections of the evaluation: one module asks and judges one task."""
