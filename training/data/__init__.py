"""Training data of the transformer: sequences as arrays of token ids on disk, and batches of them."""
