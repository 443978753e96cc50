"""The API key in the header Authorization: as a Bearer token, on some paths also as the password of Basic."""

import base64
import binascii
from dataclasses import dataclass

from services.api.auth.api_keys import unauthenticated

LONGEST_TOKEN = 200
LONGEST_USER = 100
BASIC_CHALLENGE = 'Basic realm="luminary", charset="UTF-8"'


@dataclass(frozen=True)
class Credentials:
    """What a request sends to prove its project. user: the name of Basic authentication, or empty."""

    token: str
    user: str = ""


def credentials(authorization: str | None, *, basic: bool) -> Credentials:
    """Read the header Authorization. Raises Problem. basic: whether the path takes Basic authentication."""
    scheme, _, rest = (authorization or "").partition(" ")
    if basic and scheme.lower() == "basic":
        return basic_credentials(rest.strip())
    token = rest.strip()
    if scheme.lower() != "bearer" or not token:
        if basic:
            raise unauthenticated(
                "Send an API key as the password of Basic authentication; the user name is free.",
                BASIC_CHALLENGE,
            )
        raise unauthenticated("Send an API key as `Authorization: Bearer lum_...`.")
    return Credentials(checked(token))


def basic_credentials(encoded: str) -> Credentials:
    """The key and the user name of Basic authentication. Raises Problem. Source: RFC 7617."""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise unauthenticated("The credentials are not base64 of UTF-8.", BASIC_CHALLENGE) from error
    if not password:
        raise unauthenticated("The password is empty; it has to be an API key.", BASIC_CHALLENGE)
    if len(user) > LONGEST_USER or "\0" in user:
        raise unauthenticated(f"The user name has more than {LONGEST_USER} characters.", BASIC_CHALLENGE)
    return Credentials(checked(password, BASIC_CHALLENGE), user)


def checked(token: str, challenge: str = "Bearer") -> str:
    """The token, unless it is longer than any key. Raises Problem."""
    if len(token) > LONGEST_TOKEN:
        raise unauthenticated("The API key is unknown, revoked or expired.", challenge)
    return token
