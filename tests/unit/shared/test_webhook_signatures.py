"""Signatures against the library of the standard, and against an example of its specification."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from shared.webhooks.signatures import Scheme, shown_public_key, shown_secret, signed_headers

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@given(
    secret=st.binary(min_size=24, max_size=64),
    body=st.text(st.characters(exclude_categories=("Cs",))),
    seconds=st.floats(0, 1e9),
)
def test_signatures_are_those_of_the_library(secret: bytes, body: str, seconds: float) -> None:
    sent_at = NOON + timedelta(seconds=seconds)
    headers = signed_headers("dlv_1", sent_at, body.encode(), Scheme.HMAC, [secret])
    assert headers["webhook-signature"] == Webhook(shown_secret(secret)).sign("dlv_1", sent_at, body)
    assert headers["webhook-timestamp"] == str(int(sent_at.timestamp()))


def test_every_secret_signs() -> None:
    new, old = b"n" * 32, b"o" * 32
    both = signed_headers("dlv_1", NOON, b"{}", Scheme.HMAC, [new, old])["webhook-signature"].split(" ")
    [alone] = signed_headers("dlv_1", NOON, b"{}", Scheme.HMAC, [new])["webhook-signature"].split(" ")
    [old_alone] = signed_headers("dlv_1", NOON, b"{}", Scheme.HMAC, [old])["webhook-signature"].split(" ")
    assert both == [alone, old_alone]


def test_a_secret_is_shown_as_the_standard_writes_it() -> None:
    assert shown_secret(bytes(range(24))) == "whsec_" + base64.b64encode(bytes(range(24))).decode()


def test_a_public_key_verifies_and_another_does_not() -> None:
    seeds = b"a" * 32, b"b" * 32
    headers = signed_headers("dlv_1", NOON, b"{}", Scheme.ED25519, seeds)
    content = f"dlv_1.{headers['webhook-timestamp']}.{{}}".encode()
    for seed, made in zip(seeds, headers["webhook-signature"].split(" "), strict=True):
        version, _, signature = made.partition(",")
        shown = shown_public_key(seed)
        assert (version, shown[:5]) == ("v1a", "whpk_")
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(shown[5:]))
        key.verify(base64.b64decode(signature), content)
        with pytest.raises(InvalidSignature):
            key.verify(base64.b64decode(signature), content + b" ")


def test_a_public_key_is_that_of_rfc_8032() -> None:
    """Source: RFC 8032, section 7.1, test 1."""
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    key = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    assert base64.b64decode(shown_public_key(seed).removeprefix("whpk_")) == key
