"""Sign messages by the Standard Webhooks specification 1.0.0. Pure.

`v1` is HMAC-SHA256 with a secret that both sides know; `v1a` is ed25519, whose public key verifies and cannot
sign. Why no library is used: docs/decisions/0014-libraries-and-our-own.md.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SECRET_PREFIX = "whsec_"  # noqa: S105  (the prefix of every secret)
PUBLIC_PREFIX = "whpk_"
SEED_BYTES = 32
"""Length of an ed25519 private key."""


class Scheme(StrEnum):
    """How an endpoint's messages are signed."""

    HMAC = "v1"
    ED25519 = "v1a"


def shown_secret(secret: bytes) -> str:
    """The secret of `v1` as users see it and libraries read it: `whsec_` and base64."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def shown_public_key(seed: bytes) -> str:
    """The public key of `v1a`: `whpk_` and base64. seed: the private key, 32 bytes."""
    return PUBLIC_PREFIX + base64.b64encode(private_key(seed).public_key().public_bytes_raw()).decode()


@lru_cache(maxsize=256)
def private_key(seed: bytes) -> Ed25519PrivateKey:
    """The private key of a seed; making it costs as much as a signature."""
    return Ed25519PrivateKey.from_private_bytes(seed)


def signature(scheme: Scheme, secret: bytes, content: bytes) -> str:
    """One signature: its version, a comma and base64."""
    match scheme:
        case Scheme.HMAC:
            made = hmac.digest(secret, content, hashlib.sha256)
        case Scheme.ED25519:
            made = private_key(secret).sign(content)
    return f"{scheme},{base64.b64encode(made).decode()}"


def signed_headers(
    message_id: str, sent_at: datetime, body: bytes, scheme: Scheme, secrets: Sequence[bytes]
) -> dict[str, str]:
    """The three headers of a message, with a signature for each secret.

    sent_at: time of this try; a message has the same id in all tries.
    """
    timestamp = str(int(sent_at.timestamp()))
    content = b".".join((message_id.encode(), timestamp.encode(), body))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signature(scheme, secret, content) for secret in secrets),
    }
