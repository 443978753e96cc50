"""Load a model folder: check its files and the memory, stream the weights, name the numerics identity."""
