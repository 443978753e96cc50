"""Training of the larger world's model: sequences, batches made ahead by processes, pictures, runs."""
