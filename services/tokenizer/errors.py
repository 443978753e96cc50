"""What the service itself refuses; pictures and codes are refused by preprocessing and movqgan.

ServiceError
├── BodyTooLargeError     more bytes than the service reads
├── RequestInvalidError   a parameter or a body that says nothing the service understands
└── ServiceBusyError      as many requests inside as it holds; come back later
"""

from typing import ClassVar


class ServiceError(Exception):
    """Base; `code` is stable, `hint` says what mends it."""

    code: ClassVar[str] = "service_error"
    retryable: ClassVar[bool] = False
    hint: ClassVar[str] = "Read the message; it names the cause."


class BodyTooLargeError(ServiceError):
    """The request's body is longer than allowed."""

    code = "body_too_large"
    hint = "Send a smaller file."


class RequestInvalidError(ServiceError):
    """A parameter is missing or malformed, or the body is no token grid."""

    code = "request_invalid"
    hint = "Compare the request with the service's OpenAPI document."


class ServiceBusyError(ServiceError):
    """The queue is full."""

    code = "service_busy"
    retryable = True
    hint = "Try again after the time that Retry-After names."

    def __init__(self, waiting: int, retry_seconds: int) -> None:
        self.retry_seconds = retry_seconds
        super().__init__(f"{waiting} requests are waiting already")
