"""Public ids: TypeIDs, which are a prefix for the kind and a UUIDv7 that PostgreSQL has generated.

`job_06bq5w3t8wxk9f4m2r7n1c0d5e` sorts like its UUID, thus by time of creation. It has no letters that look
like digits, is safe in URLs and file names, and a double click selects all of it. Source: TypeID
specification 0.3.0, https://github.com/jetify-com/typeid. Why no library is used:
docs/decisions/0014-libraries-and-our-own.md.
"""

from enum import StrEnum
from uuid import UUID

from shared.errors import LuminaryError

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base32 in lower case; unlike in his version, `o`, `i`, `l` and hyphens are refused."""
LENGTH = 26
"""Number of characters: 26 x 5 bits contain the 128 bits of a UUID after two zero bits."""


class IdKind(StrEnum):
    """Kind of the object that an id belongs to. The value is the prefix: small letters, no underscore."""

    PROJECT = "prj"
    API_KEY = "key"
    JOB = "job"
    SESSION = "ses"
    TURN = "turn"
    IMAGE = "img"
    CANDIDATE = "cnd"
    WEBHOOK_ENDPOINT = "whe"
    DELIVERY = "dlv"
    RESPONSE = "resp"
    CONVERSATION = "conv"
    AUDIT_ENTRY = "adt"
    FILE = "file"
    BATCH = "batch"


def id_pattern(kind: IdKind) -> str:
    """A regular expression that matches exactly the ids of one kind, for JSON schemas.

    The first character after the prefix is at most 7, because it has only three bits.
    """
    return f"{kind.value}_[0-7][{ALPHABET}]{{{LENGTH - 1}}}"


class MalformedIdError(LuminaryError, ValueError):
    """The text is not an id of the expected kind."""

    code = "id_malformed"
    hint = "Copy the id from a response of the API."


def format_id(kind: IdKind, value: UUID) -> str:
    """The public id of a UUID in the database."""
    number = value.int
    digits = [ALPHABET[(number >> shift) & 31] for shift in range(5 * (LENGTH - 1), -1, -5)]
    return f"{kind.value}_{''.join(digits)}"


def parse_id(kind: IdKind, text: str) -> UUID:
    """The UUID of a public id. Raises MalformedIdError for another kind, length or alphabet."""
    prefix, _, digits = text.partition("_")
    if prefix != kind.value or len(digits) != LENGTH:
        raise MalformedIdError(f"expected an id like {kind.value}_ and {LENGTH} characters")
    number = 0
    for digit in digits:
        position = ALPHABET.find(digit)
        if position < 0:
            raise MalformedIdError(f"an id does not contain {digit!r}")
        number = number << 5 | position
    if number >> 128:
        raise MalformedIdError("the id is larger than any UUID")
    return UUID(int=number)
