"""Pauses between two checks of a platform with faults, which has no event to wait for."""

from threading import Event


def pause(seconds: float) -> None:
    """Wait this long."""
    Event().wait(seconds)
