"""Is every part of Luminary equal to the reference? Compare it with a set of recorded fixtures."""
