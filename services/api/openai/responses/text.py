"""Texts of clients that are shown again: PostgreSQL stores neither NUL nor half of a surrogate pair."""

from typing import Any


def storable(value: Any) -> Any:
    """The JSON value with texts that can be stored."""
    match value:
        case str():
            return value.replace("\0", "").encode("utf-8", "replace").decode()
        case dict():
            return {storable(key): storable(inner) for key, inner in value.items()}
        case list():
            return [storable(inner) for inner in value]
        case _:
            return value
