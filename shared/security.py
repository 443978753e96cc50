"""API keys and webhook secrets: how they are made, shown once, and kept."""

import base64
import hashlib
import secrets
from dataclasses import dataclass

KEY_PREFIX = "lum_"
HINT_LENGTH = 8
WEBHOOK_SECRET_PREFIX = "whsec_"  # noqa: S105  (the prefix of Standard Webhooks, not a secret)


@dataclass(frozen=True)
class NewApiKey:
    """A key at its birth, the only time that its token is known."""

    token: str
    sha256: bytes
    hint: str


def generate_api_key() -> NewApiKey:
    """A token of 256 random bits: too many to guess, so a plain hash keeps it safe."""
    token = KEY_PREFIX + secrets.token_urlsafe(32)
    return NewApiKey(token, hash_api_key(token), token[:HINT_LENGTH])


def hash_api_key(token: str) -> bytes:
    """What the database keeps, and compares with."""
    return hashlib.sha256(token.encode()).digest()


def generate_webhook_secret() -> bytes:
    """A secret of 32 bytes; Standard Webhooks allows 24 to 64."""
    return secrets.token_bytes(32)


def show_webhook_secret(secret: bytes) -> str:
    """The form in which receivers' libraries take it: whsec_ and base64."""
    return WEBHOOK_SECRET_PREFIX + base64.b64encode(secret).decode()
