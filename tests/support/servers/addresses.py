"""Addresses of servers behind something else."""

from urllib.parse import urlsplit, urlunsplit


def at_place(url: str, host: str, port: int) -> str:
    """The URL with another host and port, and the same login and path."""
    parts = urlsplit(url)
    login, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{login}{at}{host}:{port}"))
