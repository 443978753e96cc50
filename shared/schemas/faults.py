"""Errors of a request whose fields contradict each other."""

from typing import LiteralString

from pydantic_core import PydanticCustomError


def fault(code: LiteralString, message: str, param: str) -> PydanticCustomError:
    """The error of a conflict between several fields; `param` is the field to name in the problem."""
    return PydanticCustomError(code, "{message}", {"message": message, "param": param})
