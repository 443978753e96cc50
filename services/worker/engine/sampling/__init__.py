"""Sampling of tokens from logits: guidance, filters, Gumbel noise."""
