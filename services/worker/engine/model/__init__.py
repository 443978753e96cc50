"""The transformer, its attention and its KV cache."""
