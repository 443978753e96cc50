"""What the transformer is trained with: a fresh model, its loss, its state, sample sheets."""
