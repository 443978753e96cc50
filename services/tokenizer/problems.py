"""Turn exceptions into HTTP error responses; no other module does that.

They have the format of the gateway's error responses; `GET /problems/{code}` explains each code.
"""

import inspect
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.tokenizer.errors import (
    BodyTooLargeError,
    RequestInvalidError,
    ServiceBusyError,
    UnauthenticatedError,
)
from services.tokenizer.metrics import Metrics
from services.tokenizer.movqgan.errors import CodeRangeError, PixelShapeError
from shared.error_words import words_of
from shared.errors import LuminaryError
from shared.field_errors import explain_faults
from shared.pictures.errors import (
    DecodersBusyError,
    ImageError,
    ImageTooLargeError,
    UnsupportedImageFormatError,
)
from shared.problem_documents import FieldError, ProblemKind, problem_document
from shared.request_ids import request_id_of

logger = logging.getLogger(__name__)

DECODER_RETRY_SECONDS = 2

STATUS: dict[type[LuminaryError], HTTPStatus] = {
    UnauthenticatedError: HTTPStatus.UNAUTHORIZED,
    BodyTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ImageTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedImageFormatError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ServiceBusyError: HTTPStatus.SERVICE_UNAVAILABLE,
    DecodersBusyError: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""HTTP status of errors; all others get 422."""
REFUSALS: tuple[type[LuminaryError], ...] = (
    UnauthenticatedError,
    BodyTooLargeError,
    RequestInvalidError,
    ServiceBusyError,
    PixelShapeError,
    CodeRangeError,
    *ImageError.__subclasses__(),
)
HTTP_CODES = {404: "not_found", 405: "method_not_allowed"}
"""Problem codes for the status codes that FastAPI itself answers."""
INTERNAL_ERROR = "internal_error"


def kind_of(error: type[LuminaryError]) -> ProblemKind:
    """The table entry of an error class; the first line of its docstring is the cause."""
    cause, _, _ = (inspect.getdoc(error) or "").partition("\n")
    title = error.code.replace("_", " ").capitalize()
    return ProblemKind(STATUS.get(error, HTTPStatus.UNPROCESSABLE_ENTITY).value, title, cause, error.hint)


PROBLEMS: dict[str, ProblemKind] = {error.code: kind_of(error) for error in REFUSALS} | {
    "not_found": ProblemKind(
        404,
        "Not found",
        "The path does not exist, or the service no longer has the work with this id.",
        "Send the original request again.",
    ),
    "method_not_allowed": ProblemKind(
        405,
        "Method not allowed",
        "The path exists, but does not support this method.",
        "Use a method that is listed in the header `Allow`.",
    ),
    INTERNAL_ERROR: ProblemKind(
        500,
        "Internal error",
        "An error in the service; its log has the details under the `request_id`.",
        "Report the error with its `request_id`.",
    ),
}
"""All problem codes of the service."""


def install_problem_handlers(app: FastAPI, metrics: Metrics) -> None:
    """Answer every error with a problem document, and count it."""

    def refuse(
        request: Request,
        code: str,
        detail: str,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        metrics.problems.labels(code).inc()
        document = problem_document(
            PROBLEMS[code],
            code,
            detail,
            service_url=str(request.base_url).rstrip("/"),
            request_id=request_id_of(request.scope),
            param=errors[0].param if errors else None,
            errors=errors,
        )
        return Response(document.model_dump_json(), document.status, document.headers(headers or {}))

    def refuse_content(request: Request, error: Exception) -> Response:
        if not isinstance(error, REFUSALS):
            raise error
        errors = error.errors if isinstance(error, RequestInvalidError) else ()
        return refuse(request, error.code, str(error), errors, headers_of(error))

    def refuse_parameters(request: Request, error: Exception) -> Response:
        if not isinstance(error, RequestValidationError):
            raise error
        return refuse(request, RequestInvalidError.code, *explain_faults(error.errors()))

    def refuse_route(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException) or error.status_code not in HTTP_CODES:
            raise error
        return refuse(request, HTTP_CODES[error.status_code], error.detail, headers=error.headers)

    def report_fault(request: Request, error: Exception) -> Response:
        # uvicorn logs the traceback, but without the request's id
        known = {"request_id": request_id_of(request.scope), "reason": words_of(error)}
        logger.error("request failed", extra=known)
        return refuse(request, INTERNAL_ERROR, "An error in the service; its log has the details.")

    for kind in REFUSALS:
        app.add_exception_handler(kind, refuse_content)
    app.add_exception_handler(RequestValidationError, refuse_parameters)
    app.add_exception_handler(HTTPException, refuse_route)
    app.add_exception_handler(Exception, report_fault)


def headers_of(error: LuminaryError) -> dict[str, str]:
    """Retry-After for errors after which a retry can succeed; WWW-Authenticate for a missing secret."""
    if isinstance(error, UnauthenticatedError):
        return {"WWW-Authenticate": "Bearer"}
    if not error.retryable:
        return {}
    seconds = error.retry_seconds if isinstance(error, ServiceBusyError) else DECODER_RETRY_SECONDS
    return {"Retry-After": str(seconds)}
