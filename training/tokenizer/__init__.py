"""Training of the image tokenizer: pictures with their true codes, first codebook, losses, trainer."""
