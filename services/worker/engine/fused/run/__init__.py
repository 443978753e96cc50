"""One forward pass over all layers, shared among threads."""
