"""Errors as RFC 9457 problem documents: the one place where an exception becomes an HTTP status."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from services.tokenizer.errors import BodyTooLargeError, RequestInvalidError, ServiceBusyError, ServiceError
from services.tokenizer.metrics import Metrics
from services.tokenizer.movqgan import MoVQGANError
from services.tokenizer.preprocessing import ImageError, ImageTooLargeError, UnsupportedImageFormatError

MEDIA_TYPE = "application/problem+json"

STATUS: dict[type[Exception], HTTPStatus] = {
    BodyTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ImageTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedImageFormatError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ServiceBusyError: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""Every other error of a request is one of content: 422."""

CodedError = ServiceError | ImageError | MoVQGANError


def problem(
    status: HTTPStatus, code: str, detail: str, *, retryable: bool = False, hint: str = ""
) -> JSONResponse:
    """The document; `type` is a URN made of the stable code, since no page describes it."""
    body: dict[str, Any] = {
        "type": f"urn:luminary:problem:{code}",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "code": code,
        "retryable": retryable,
        "hint": hint,
    }
    return JSONResponse(body, status.value, media_type=MEDIA_TYPE)


def install_problem_handlers(app: FastAPI, metrics: Metrics) -> None:
    """Answer every refusal with a problem document, and count it."""

    def refuse(_: Request, error: Exception) -> JSONResponse:
        if not isinstance(error, CodedError):
            raise error
        metrics.problems.labels(error.code).inc()
        status = STATUS.get(type(error), HTTPStatus.UNPROCESSABLE_ENTITY)
        answer = problem(status, error.code, str(error), retryable=error.retryable, hint=error.hint)
        if isinstance(error, ServiceBusyError):
            answer.headers["Retry-After"] = str(error.retry_seconds)
        return answer

    def refuse_parameters(request: Request, error: Exception) -> JSONResponse:
        if not isinstance(error, RequestValidationError):
            raise error
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        return refuse(request, RequestInvalidError("; ".join(faults)))

    def refuse_route(_: Request, error: Exception) -> JSONResponse:
        if not isinstance(error, HTTPException):
            raise error
        status = HTTPStatus(error.status_code)
        answer = problem(status, status.name.lower(), error.detail)
        answer.headers.update(error.headers or {})
        return answer

    for kind in (ServiceError, ImageError, MoVQGANError):
        app.add_exception_handler(kind, refuse)
    app.add_exception_handler(RequestValidationError, refuse_parameters)
    app.add_exception_handler(HTTPException, refuse_route)
