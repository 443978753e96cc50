"""What can go wrong in a request: one table of stable codes, one exception, one document.

The document is an RFC 9457 problem that also holds the `error` object of OpenAI's interface, so that clients
of either kind read it. `GET /problems/{code}` shows the table's entry to whoever follows `type`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Any

from pydantic import BaseModel, ConfigDict

MEDIA_TYPE = "application/problem+json"


@unique
class ProblemCode(StrEnum):
    """The `code` of a refusal; clients may depend on it."""

    MALFORMED_REQUEST = "malformed_request"
    INVALID_REQUEST = "invalid_request"
    UNAUTHENTICATED = "unauthenticated"
    PROJECT_DISABLED = "project_disabled"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    IMAGE_UNREADABLE = "image_unreadable"
    IMAGE_TOO_LARGE = "image_too_large"
    IMAGE_UNAVAILABLE = "image_unavailable"
    IMAGE_URL_FORBIDDEN = "image_url_forbidden"
    IMAGE_EXPIRED = "image_expired"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    IDEMPOTENCY_KEY_IN_FLIGHT = "idempotency_key_in_flight"
    TOO_MANY_QUEUED_JOBS = "too_many_queued_jobs"
    DATABASE_UNAVAILABLE = "database_unavailable"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True)
class ProblemKind:
    """What is always true of a code."""

    status: int
    title: str
    explanation: str
    """What happened and what mends it."""

    @property
    def error_type(self) -> str:
        """The `type` in OpenAI's error object."""
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


PROBLEMS: dict[ProblemCode, ProblemKind] = {
    ProblemCode.MALFORMED_REQUEST: ProblemKind(
        400, "Malformed request", "The body cannot be parsed. Send well-formed JSON or multipart/form-data."
    ),
    ProblemCode.INVALID_REQUEST: ProblemKind(
        422, "Invalid request", "A field has a value that no job can have; `errors` names each one."
    ),
    ProblemCode.UNAUTHENTICATED: ProblemKind(
        401,
        "Authentication required",
        "There is no valid API key. Send `Authorization: Bearer lum_...` with a key that is neither revoked"
        " nor expired.",
    ),
    ProblemCode.PROJECT_DISABLED: ProblemKind(
        403, "Project disabled", "The key is valid but its project has been disabled. Ask the operator."
    ),
    ProblemCode.NOT_FOUND: ProblemKind(
        404, "Not found", "Nothing of this id exists in the key's project, or there is no such path."
    ),
    ProblemCode.METHOD_NOT_ALLOWED: ProblemKind(
        405, "Method not allowed", "The path exists but not with this method; `Allow` lists those it has."
    ),
    ProblemCode.BODY_TOO_LARGE: ProblemKind(
        413, "Body too large", "The body is longer than the gateway reads. Send a smaller picture."
    ),
    ProblemCode.UNSUPPORTED_MEDIA_TYPE: ProblemKind(
        415, "Unsupported media type", "Send application/json or multipart/form-data."
    ),
    ProblemCode.IMAGE_UNREADABLE: ProblemKind(
        422, "Image unreadable", "The bytes are no complete PNG, JPEG or WebP picture. Send the whole file."
    ),
    ProblemCode.IMAGE_TOO_LARGE: ProblemKind(
        422, "Image too large", "The picture has more pixels than allowed. Scale it down."
    ),
    ProblemCode.IMAGE_UNAVAILABLE: ProblemKind(
        422, "Image unavailable", "The URL gave no picture. Check that it answers 200, or upload the file."
    ),
    ProblemCode.IMAGE_URL_FORBIDDEN: ProblemKind(
        422, "Image URL forbidden", "Only http and https URLs whose host has public addresses are fetched."
    ),
    ProblemCode.IMAGE_EXPIRED: ProblemKind(
        410, "Image expired", "The picture's bytes were removed when its time was over. Generate it again."
    ),
    ProblemCode.IDEMPOTENCY_KEY_REUSED: ProblemKind(
        422,
        "Idempotency key reused",
        "This Idempotency-Key belongs to another request. Use a new key for a new request.",
    ),
    ProblemCode.IDEMPOTENCY_KEY_IN_FLIGHT: ProblemKind(
        409,
        "Idempotency key in flight",
        "The first request with this Idempotency-Key has no answer yet. Repeat the request a little later.",
    ),
    ProblemCode.TOO_MANY_QUEUED_JOBS: ProblemKind(
        429, "Too many queued jobs", "The project's waiting jobs are at their limit. Wait for some to start."
    ),
    ProblemCode.DATABASE_UNAVAILABLE: ProblemKind(
        503, "Database unavailable", "The database does not answer. Repeat the request later."
    ),
    ProblemCode.STORAGE_UNAVAILABLE: ProblemKind(
        503, "Storage unavailable", "The object storage does not answer. Repeat the request later."
    ),
    ProblemCode.INTERNAL_ERROR: ProblemKind(
        500, "Internal error", "The gateway has a fault. Report it with the request's id."
    ),
}


class FieldError(BaseModel):
    """What is wrong with one part of the request."""

    param: str
    """Dotted path, such as webhook.url."""
    code: str
    message: str


class ErrorObject(BaseModel):
    """The body that OpenAI's clients look for."""

    message: str
    type: str
    param: str | None
    code: str


class ProblemDocument(BaseModel):
    """The body of every refusal."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "http://127.0.0.1:8000/problems/invalid_request",
                "title": "Invalid request",
                "status": 422,
                "detail": "n: Input should be less than or equal to 8",
                "request_id": "0f9d1c2b4e6a4f0e8d7c6b5a49382716",
                "errors": [
                    {
                        "param": "n",
                        "code": "less_than_equal",
                        "message": "Input should be less than or equal to 8",
                    }
                ],
                "error": {
                    "message": "n: Input should be less than or equal to 8",
                    "type": "invalid_request_error",
                    "param": "n",
                    "code": "invalid_request",
                },
            }
        }
    )

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[FieldError]
    error: ErrorObject


@dataclass
class Problem(Exception):  # noqa: N818  (the word of RFC 9457)
    """The request is refused; `detail` is one sentence for the user."""

    code: ProblemCode
    detail: str
    param: str | None = None
    errors: Sequence[FieldError] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def kind(self) -> ProblemKind:
        """Status, title and explanation."""
        return PROBLEMS[self.code]


def describe(problem: Problem, public_url: str, request_id: str) -> ProblemDocument:
    """The document of a refusal; its `type` is an address that explains the code."""
    return ProblemDocument(
        type=f"{public_url}/problems/{problem.code}",
        title=problem.kind.title,
        status=problem.kind.status,
        detail=problem.detail,
        request_id=request_id,
        errors=list(problem.errors),
        error=ErrorObject(
            message=problem.detail,
            type=problem.kind.error_type,
            param=problem.param,
            code=problem.code.value,
        ),
    )


def problem_responses(*codes: ProblemCode) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of the refusals of a route."""
    responses: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        kind = PROBLEMS[code]
        told = responses.setdefault(kind.status, {"description": "", "model": ProblemDocument})
        told["description"] = " ".join(filter(None, [told["description"], f"`{code}`: {kind.explanation}"]))
    return responses
