"""What the image tokenizer is made with: pictures with their true codes, a codebook, the trained rest."""
