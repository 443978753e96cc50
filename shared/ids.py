"""The one id scheme: a UUIDv7 made by PostgreSQL, shown as a prefix and 26 characters of Crockford's base32.

`job_06bq5w3t8wxk9f4m2r7n1c0d5e` sorts like its UUID, therefore by time of creation; it holds no letter that
is read as a digit, and is safe in URLs, file names and double clicks.
"""

from enum import StrEnum
from uuid import UUID

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
LENGTH = 26
"""Characters: 26 x 5 bits hold the 128 bits, with two zero bits in front."""


class IdKind(StrEnum):
    """What an id names; the value is its prefix."""

    PROJECT = "prj"
    API_KEY = "key"
    JOB = "job"
    SESSION = "ses"
    TURN = "turn"
    IMAGE = "img"
    CANDIDATE = "cnd"
    WEBHOOK_ENDPOINT = "whe"
    DELIVERY = "dlv"


class MalformedIdError(ValueError):
    """The text is no id of the wanted kind."""


def format_id(kind: IdKind, value: UUID) -> str:
    """The public form of a row's id."""
    number = value.int
    digits = [ALPHABET[(number >> shift) & 31] for shift in range(5 * (LENGTH - 1), -1, -5)]
    return f"{kind.value}_{''.join(digits)}"


def parse_id(kind: IdKind, text: str) -> UUID:
    """The row's id. Raises MalformedIdError for another kind, another length or another alphabet."""
    prefix, _, digits = text.partition("_")
    if prefix != kind.value or len(digits) != LENGTH:
        raise MalformedIdError(f"expected an id like {kind.value}_ and {LENGTH} characters")
    number = 0
    for digit in digits:
        position = ALPHABET.find(digit)
        if position < 0:
            raise MalformedIdError(f"{digit!r} cannot stand in an id")
        number = number << 5 | position
    if number >> 128:
        raise MalformedIdError("the id is larger than any UUID")
    return UUID(int=number)
