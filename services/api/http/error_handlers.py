"""The one place that turns exceptions into HTTP error responses."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError  # noqa: A004  (the pool's)
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.http.metrics import Metrics
from services.api.http.paths import methods_of, unknown_path
from services.api.problems.codes import Problem, ProblemCode
from services.api.problems.documents import describe
from services.api.problems.validation import validation_problem
from shared.request_ids import request_id_of
from shared.storage import StorageError

logger = logging.getLogger(__name__)

RETRY_SECONDS = "2"
HTTP_CODES = {
    400: ProblemCode.MALFORMED_REQUEST,
    404: ProblemCode.NOT_FOUND,
    413: ProblemCode.BODY_TOO_LARGE,
    415: ProblemCode.UNSUPPORTED_MEDIA_TYPE,
}
"""Problem codes for the status codes that FastAPI itself answers."""


def problem_of(error: Exception) -> Problem:
    """The problem of an exception; an unexpected one is an internal error, without details."""
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return validation_problem(error.errors())
        case HTTPException():
            code = HTTP_CODES.get(error.status_code, ProblemCode.MALFORMED_REQUEST)
            return Problem(code, str(error.detail), param="body", headers=error.headers or {})
        case OperationalError() | InterfaceError() | TimeoutError():
            return unavailable(ProblemCode.DATABASE_UNAVAILABLE, "The database does not answer.")
        case StorageError():
            return unavailable(ProblemCode.STORAGE_UNAVAILABLE, "The object storage does not answer.")
        case _:
            return Problem(ProblemCode.INTERNAL_ERROR, "An error in the gateway; its log has the details.")


def unavailable(code: ProblemCode, detail: str) -> Problem:
    """Problem of a temporary outage, with Retry-After."""
    return Problem(code, detail, headers={"Retry-After": RETRY_SECONDS})


def routing_problem(scope: Scope, error: HTTPException) -> Problem:
    """The problem of a request without a route: the path is unknown, or supports other methods."""
    routes, path = scope["app"].routes, scope["path"]
    methods = methods_of(routes, path)
    if error.status_code == 405 and methods:
        return Problem(
            ProblemCode.METHOD_NOT_ALLOWED,
            f"This path supports {', '.join(methods)}.",
            headers={"Allow": ", ".join(methods)},
        )
    return Problem(ProblemCode.NOT_FOUND, unknown_path(routes, path))


class ProblemAnswers:
    """ASGI middleware: every exception of the application becomes a problem document, and is logged once."""

    def __init__(self, app: ASGIApp, public_url: str, metrics: Metrics) -> None:
        self._app = app
        self._public_url = public_url
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer exceptions of the application, unless its response has already begun."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except ClientDisconnect:
            logger.info(
                "client disconnected while it sent its request", extra={"code": "client_disconnected"}
            )
        except Exception as error:  # noqa: BLE001  (no code outside this can answer)
            answer = self.answer(scope, error)
            if not begun:
                await answer(scope, receive, send)

    def answer(self, scope: Scope, error: Exception) -> Response:
        """The problem document. The problem is counted; an internal error is logged with its traceback."""
        if isinstance(error, HTTPException) and error.status_code in {404, 405}:
            problem = routing_problem(scope, error)
        else:
            problem = problem_of(error)
        request_id = request_id_of(scope)
        self._metrics.problems.labels(problem.code).inc()
        # a 503 is only counted: shared.outages logs the outage behind it once
        if problem.code is ProblemCode.INTERNAL_ERROR:
            logger.error("request failed", exc_info=error, extra={"request_id": request_id})
        document = describe(problem, self._public_url, request_id)
        return Response(document.model_dump_json(), document.status, document.headers(problem.headers))


def leave_exceptions_to_problem_answers(app: FastAPI) -> None:
    """Replace FastAPI's own error handlers, so that its exceptions reach ProblemAnswers."""

    async def pass_on(_: Request, error: Exception) -> Response:
        raise error

    for kind in (HTTPException, RequestValidationError):
        app.add_exception_handler(kind, pass_on)
