"""Who may use the service: requests below /v1 carry the secret that workers and service share."""

import hmac
from typing import TYPE_CHECKING

from fastapi import Request

from services.tokenizer.errors import UnauthenticatedError
from shared.settings import secret_list

if TYPE_CHECKING:
    from services.tokenizer.settings import TokenizerServiceSettings

CLOSED_PREFIX = "/v1/"
"""Health, metrics and problem pages stay open: they show nothing of any picture."""


def check_secret(request: Request) -> None:
    """Raise UnauthenticatedError if the request has none of the secrets in TOKENIZER_SECRET."""
    settings: TokenizerServiceSettings = request.app.state.settings
    accepted = secret_list(settings.secret)
    if not accepted or not request.url.path.startswith(CLOSED_PREFIX):
        return
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    matches = [hmac.compare_digest(given.encode(), secret.encode()) for secret in accepted]
    if scheme.lower() != "bearer" or not any(matches):
        raise UnauthenticatedError("the request does not carry the secret of this service")
