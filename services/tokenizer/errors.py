"""Errors of the tokenizer service; `shared.pictures` has those of pictures, `movqgan` those of codes.

ServiceError
├── BodyTooLargeError     the body is longer than allowed
├── RequestInvalidError   a parameter or the body is invalid
├── UnauthenticatedError  the request lacks the shared secret
└── ServiceBusyError      too many requests are waiting
"""

from collections.abc import Sequence

from shared.errors import LuminaryError
from shared.problem_documents import FieldError


class ServiceError(LuminaryError):
    """Base of the service's errors."""

    code = "service_error"
    hint = "Read the message: it names the cause."


class BodyTooLargeError(ServiceError):
    """The request's body is longer than allowed."""

    code = "body_too_large"
    hint = "Send a smaller file."


class RequestInvalidError(ServiceError):
    """A parameter is missing or malformed, or the body is not a token grid."""

    code = "request_invalid"
    hint = "Compare the request with the service's OpenAPI document."

    def __init__(self, detail: str, errors: Sequence[FieldError] = ()) -> None:
        """errors: an entry for each faulty field."""
        self.errors = tuple(errors)
        super().__init__(detail)


class UnauthenticatedError(ServiceError):
    """The request does not carry the secret that this service shares with its workers."""

    code = "unauthenticated"
    hint = "Set TOKENIZER_SECRET to the same value for this service and for workers."


class ServiceBusyError(ServiceError):
    """Too many requests are waiting."""

    code = "service_busy"
    retryable = True
    hint = "Repeat the request after `Retry-After` seconds."

    def __init__(self, waiting: int, retry_seconds: int) -> None:
        self.retry_seconds = retry_seconds
        super().__init__(f"{waiting} requests are already waiting")
