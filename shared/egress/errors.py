"""Reasons not to request a URL that a client sent, or not to read its answer.

EgressError
├── ForbiddenUrlError     its scheme, port or address is not allowed
├── UnresolvedHostError   no address was found for its host
└── AnswerTooLongError    the answer has more bytes than are read
"""

from shared.errors import LuminaryError


class EgressError(LuminaryError):
    """Base of the errors of this package."""

    code = "egress_failed"
    hint = "Use another URL."


class ForbiddenUrlError(EgressError):
    """The URL's scheme, port or address is not allowed."""

    code = "url_forbidden"
    hint = "Use an http or https URL on an allowed port of a public host."


class UnresolvedHostError(EgressError):
    """No address was found for the URL's host."""

    code = "host_unresolved"
    retryable = True
    hint = "Check the URL's host name."


class AnswerTooLongError(EgressError):
    """The answer has more bytes than are read. `beginning` is what was read of it."""

    code = "answer_too_long"
    hint = "Use a URL with a shorter answer."

    def __init__(self, message: str, beginning: bytes) -> None:
        super().__init__(message)
        self.beginning = beginning
