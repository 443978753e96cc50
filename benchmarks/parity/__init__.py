"""Compare every part of Luminary with fixtures recorded from the reference implementation."""
