"""Small random models on disk, and requests to draw with them. No server is needed."""
