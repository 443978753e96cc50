"""The body of every error response of the gateway and the tokenizer service.

It is an RFC 9457 problem that also has the `error` object of OpenAI's API, for OpenAI clients. Its `type` is
`<address of the service>/problems/<code>`, at which the service explains the code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

MEDIA_TYPE = "application/problem+json"
REQUEST_ID_HEADER = "X-Request-Id"
EXAMPLE_URL = "http://127.0.0.1:8000"
EXAMPLE_REQUEST = "0f9d1c2b4e6a4f0e8d7c6b5a49382716"
INVALID_EXAMPLE: dict[str, Any] = {
    "type": f"{EXAMPLE_URL}/problems/invalid_request",
    "title": "Invalid request",
    "status": 422,
    "detail": "n: Input should be less than or equal to 12",
    "request_id": EXAMPLE_REQUEST,
    "errors": [
        {"param": "n", "code": "less_than_equal", "message": "Input should be less than or equal to 12"}
    ],
    "error": {
        "message": "n: Input should be less than or equal to 12",
        "type": "invalid_request_error",
        "param": "n",
        "code": "invalid_request",
    },
}


@dataclass(frozen=True)
class ProblemKind:
    """Status and texts of a code, the same for every request."""

    status: int
    title: str
    cause: str
    remedy: str

    @property
    def error_type(self) -> str:
        """The `type` of OpenAI's error object, which depends on the status."""
        match self.status:
            case 401:
                return "authentication_error"
            case 403:
                return "permission_error"
            case 429:
                return "rate_limit_error"
            case status if status >= 500:
                return "server_error"
            case _:
                return "invalid_request_error"


class FieldError(BaseModel):
    """An error in one field of the request."""

    param: str
    """Dotted path of the field, such as webhook.url, or the name of a header."""
    code: str
    message: str


class ErrorObject(BaseModel):
    """The error object that OpenAI clients read."""

    message: str
    type: str
    param: str | None
    code: str


class ProblemDocument(BaseModel):
    """The body of every error response."""

    model_config = ConfigDict(json_schema_extra={"examples": [INVALID_EXAMPLE]})

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[FieldError]
    error: ErrorObject

    def headers(self, more: Mapping[str, str]) -> dict[str, str]:
        """Headers of a response with this document: those of every error response, and `more`."""
        return {**more, REQUEST_ID_HEADER: self.request_id, "Content-Type": MEDIA_TYPE}


class ProblemDescription(BaseModel):
    """The explanation of a problem code."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "code": "image_unreadable",
                    "status": 422,
                    "title": "Image unreadable",
                    "cause": "The file is not a complete PNG, JPEG, WebP or GIF picture.",
                    "remedy": "Send the whole file in one of these formats.",
                }
            ]
        }
    )

    code: str
    status: int
    title: str
    cause: str
    remedy: str


def problem_document(
    kind: ProblemKind,
    code: str,
    detail: str,
    *,
    service_url: str,
    request_id: str,
    param: str | None = None,
    errors: Sequence[FieldError] = (),
) -> ProblemDocument:
    """The body of one error response.

    detail: one sentence for the user. param: the faulty field or header, if there is one.
    service_url: address at which clients reach the service, without a final slash.
    """
    return ProblemDocument(
        type=f"{service_url}/problems/{code}",
        title=kind.title,
        status=kind.status,
        detail=detail,
        request_id=request_id,
        errors=list(errors),
        error=ErrorObject(message=detail, type=kind.error_type, param=param, code=code),
    )


def describe_kind(kind: ProblemKind, code: str) -> ProblemDescription:
    """The explanation of a code, which the service answers at the address in `type`."""
    return ProblemDescription(
        code=code, status=kind.status, title=kind.title, cause=kind.cause, remedy=kind.remedy
    )
