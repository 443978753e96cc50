"""All layers of a large model on a CPU in one compiled call."""
