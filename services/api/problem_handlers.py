"""The one place where an exception becomes an HTTP answer."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError  # noqa: A004  (the pool's)
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.api.metrics import Metrics
from services.api.problem_documents import MEDIA_TYPE, describe
from services.api.problems import Problem, ProblemCode
from services.api.request_ids import REQUEST_ID_HEADER, request_id_of
from services.api.validation import validation_problem
from shared.storage import StorageError

logger = logging.getLogger(__name__)

RETRY_SECONDS = "2"
HTTP_CODES = {
    400: ProblemCode.MALFORMED_REQUEST,
    404: ProblemCode.NOT_FOUND,
    405: ProblemCode.METHOD_NOT_ALLOWED,
    413: ProblemCode.BODY_TOO_LARGE,
    415: ProblemCode.UNSUPPORTED_MEDIA_TYPE,
}
"""What the framework itself refuses."""


def problem_of(error: Exception) -> Problem:
    """What an exception means to the client; anything unforeseen is an internal error without details."""
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return validation_problem(error.errors())
        case HTTPException():
            code = HTTP_CODES.get(error.status_code, ProblemCode.MALFORMED_REQUEST)
            return Problem(code, str(error.detail), headers=error.headers or {})
        case OperationalError() | InterfaceError() | TimeoutError():
            return unavailable(ProblemCode.DATABASE_UNAVAILABLE, "The database does not answer.")
        case StorageError():
            return unavailable(ProblemCode.STORAGE_UNAVAILABLE, "The object storage does not answer.")
        case _:
            return Problem(ProblemCode.INTERNAL_ERROR, "The gateway has a fault; its log has the details.")


def unavailable(code: ProblemCode, detail: str) -> Problem:
    """A refusal that ends by itself."""
    return Problem(code, detail, headers={"Retry-After": RETRY_SECONDS})


def install_problem_handlers(app: FastAPI, public_url: str, metrics: Metrics) -> None:
    """Answer every refusal with a problem document, and count it."""

    def answer(request: Request, error: Exception) -> Response:
        problem = problem_of(error)
        request_id = request_id_of(request.scope)
        metrics.problems.labels(problem.code.value).inc()
        if problem.kind.status == 503:
            logger.warning("request refused", extra={"code": problem.code.value, "reason": str(error)})
        elif problem.code is ProblemCode.INTERNAL_ERROR:
            logger.error("request failed", exc_info=error, extra={"request_id": request_id})
        document = describe(problem, public_url, request_id)
        return Response(
            document.model_dump_json(),
            problem.kind.status,
            headers={**problem.headers, REQUEST_ID_HEADER: request_id},
            media_type=MEDIA_TYPE,
        )

    kinds = (
        Problem,
        RequestValidationError,
        HTTPException,
        OperationalError,
        InterfaceError,
        TimeoutError,
        StorageError,
        Exception,
    )
    for kind in kinds:
        app.add_exception_handler(kind, answer)
