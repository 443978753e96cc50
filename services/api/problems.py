"""What can go wrong in a request: one table of stable codes, and one exception.

`GET /problems/{code}` shows the table's entry to whoever follows the `type` of a refusal; `docs/problems.md`
is the same table as a page (`python -m services.api.problem_page`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum, unique

from pydantic import BaseModel


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
    MODEL_UNAVAILABLE = "model_unavailable"
    TOO_MANY_QUEUED_JOBS = "too_many_queued_jobs"
    DATABASE_UNAVAILABLE = "database_unavailable"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True)
class ProblemKind:
    """What is always true of a code."""

    status: int
    title: str
    cause: str
    remedy: str

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
        400,
        "Malformed request",
        "The body cannot be parsed.",
        "Send well-formed JSON or multipart/form-data.",
    ),
    ProblemCode.INVALID_REQUEST: ProblemKind(
        422,
        "Invalid request",
        "A field has a value that no job can have, or fields do not go together.",
        "Correct the fields that `errors` names.",
    ),
    ProblemCode.UNAUTHENTICATED: ProblemKind(
        401,
        "Authentication required",
        "There is no API key in the request, or it is unknown, revoked or expired.",
        "Send `Authorization: Bearer lum_...` with a valid key.",
    ),
    ProblemCode.PROJECT_DISABLED: ProblemKind(
        403,
        "Project disabled",
        "The key is valid but its project has been disabled.",
        "Ask the operator.",
    ),
    ProblemCode.NOT_FOUND: ProblemKind(
        404,
        "Not found",
        "Nothing of this id exists in the key's project, or there is no such path.",
        "Check the id, and that the key belongs to the project that made it.",
    ),
    ProblemCode.METHOD_NOT_ALLOWED: ProblemKind(
        405,
        "Method not allowed",
        "The path exists but not with this method.",
        "Use a method that the header `Allow` lists.",
    ),
    ProblemCode.BODY_TOO_LARGE: ProblemKind(
        413,
        "Body too large",
        "The body is longer than the gateway reads (`GATEWAY_MAX_BODY_BYTES`).",
        "Send a smaller picture, or upload each picture by itself.",
    ),
    ProblemCode.UNSUPPORTED_MEDIA_TYPE: ProblemKind(
        415,
        "Unsupported media type",
        "The `Content-Type` is none that this path reads.",
        "Send application/json or multipart/form-data.",
    ),
    ProblemCode.IMAGE_UNREADABLE: ProblemKind(
        422,
        "Image unreadable",
        "The bytes are no complete PNG, JPEG or WebP picture.",
        "Send the whole file in one of these formats.",
    ),
    ProblemCode.IMAGE_TOO_LARGE: ProblemKind(
        422,
        "Image too large",
        "The picture has more pixels than allowed, or a URL gave more bytes than the gateway reads.",
        "Scale it down.",
    ),
    ProblemCode.IMAGE_UNAVAILABLE: ProblemKind(
        422,
        "Image unavailable",
        "The URL gave no picture: no such host, no answer in time, or an answer other than 200.",
        "Check the URL from another network, or upload the file.",
    ),
    ProblemCode.IMAGE_URL_FORBIDDEN: ProblemKind(
        422,
        "Image URL forbidden",
        "The URL is not http or https, holds a user name, or its host has an address that is not public.",
        "Upload the file instead.",
    ),
    ProblemCode.IMAGE_EXPIRED: ProblemKind(
        410,
        "Image expired",
        "The picture's bytes were removed when its time was over.",
        "Generate it again: the same request with the same seed gives the same picture.",
    ),
    ProblemCode.IDEMPOTENCY_KEY_REUSED: ProblemKind(
        422,
        "Idempotency key reused",
        "This Idempotency-Key belongs to a request with another body.",
        "Use a new key for a new request.",
    ),
    ProblemCode.IDEMPOTENCY_KEY_IN_FLIGHT: ProblemKind(
        409,
        "Idempotency key in flight",
        "The first request with this Idempotency-Key has no answer yet.",
        "Repeat the request after `Retry-After` seconds.",
    ),
    ProblemCode.MODEL_UNAVAILABLE: ProblemKind(
        422,
        "Model unavailable",
        "No worker that runs now has a model of this name.",
        "Use a name from `GET /v1/models`, or leave `model` out.",
    ),
    ProblemCode.TOO_MANY_QUEUED_JOBS: ProblemKind(
        429,
        "Too many queued jobs",
        "The project's waiting jobs are at their limit.",
        "Wait for some to start, or cancel some.",
    ),
    ProblemCode.DATABASE_UNAVAILABLE: ProblemKind(
        503,
        "Database unavailable",
        "The database does not answer.",
        "Repeat the request after `Retry-After` seconds; an `Idempotency-Key` makes that safe.",
    ),
    ProblemCode.STORAGE_UNAVAILABLE: ProblemKind(
        503,
        "Storage unavailable",
        "The object storage does not answer.",
        "Repeat the request after `Retry-After` seconds.",
    ),
    ProblemCode.INTERNAL_ERROR: ProblemKind(
        500,
        "Internal error",
        "The gateway has a fault; its log has the details under the request's id.",
        "Report it with the `request_id`.",
    ),
}


class FieldError(BaseModel):
    """What is wrong with one part of the request."""

    param: str
    """Dotted path, such as webhook.url."""
    code: str
    message: str


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
        """Status, title, cause and remedy."""
        return PROBLEMS[self.code]
