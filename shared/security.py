"""Generate API keys and webhook secrets, and hash API keys."""

import hashlib
import secrets
from dataclasses import dataclass

KEY_PREFIX = "lum_"
HINT_LENGTH = 8


@dataclass(frozen=True)
class NewApiKey:
    """A new API key. Only the hash and the hint are stored, so the token is known only now."""

    token: str
    sha256: bytes
    hint: str


def generate_api_key() -> NewApiKey:
    """Generate a key with 256 random bits: too many to guess, so its hash need not be slow."""
    token = KEY_PREFIX + secrets.token_urlsafe(32)
    return NewApiKey(token, hash_api_key(token), token[:HINT_LENGTH])


def hash_api_key(token: str) -> bytes:
    """SHA-256 of the token, which the database stores."""
    return hashlib.sha256(token.encode()).digest()


def generate_webhook_secret() -> bytes:
    """Generate a secret of 32 bytes; Standard Webhooks allows 24 to 64."""
    return secrets.token_bytes(32)
