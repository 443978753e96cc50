"""What the image tokenizer is made with: pictures, a fitted encoder and codebook, a trained decoder."""
