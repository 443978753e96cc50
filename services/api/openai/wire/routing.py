"""Refusals as OpenAI's clients read them: invalid requests are 400, never 422.

Their bodies are problem documents, which have OpenAI's `error` object as well. The clients repeat a request
after 408, 409, 429 and 5xx unless the header `x-should-retry` says `false`.
"""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import Response

from services.api.problems.codes import PROBLEMS, Problem, ProblemCode
from services.api.problems.documents import problem_response
from services.api.problems.validation import validation_problem

STATUSES = {422: 400}
"""Statuses that OpenAI's API does not use, and what its clients expect instead."""


EVERYWHERE = (
    ProblemCode.UNAUTHENTICATED,
    ProblemCode.PROJECT_DISABLED,
    ProblemCode.INVALID_REQUEST,
    ProblemCode.DATABASE_UNAVAILABLE,
)
"""Problems that every route may answer with."""


class OpenAIRoute(APIRoute):
    """A route whose problems have the statuses that OpenAI's clients know."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with problems translated."""
        handle = super().get_route_handler()

        async def handle_openai(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                raise as_openai(validation_problem(error.errors())) from error
            except Problem as problem:
                as_openai(problem)
                raise

        return handle_openai


def as_openai(problem: Problem) -> Problem:
    """The same problem with the status that OpenAI's clients expect."""
    status = STATUSES.get(problem.kind.status)
    if status is not None:
        problem.kind = replace(problem.kind, status=status)
    return problem


def openai_refusals(*codes: ProblemCode) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses of a route's problems, as `problem_responses` with the statuses of these routes."""
    by_status: dict[int, list[ProblemCode]] = {}
    for code in codes:
        status = PROBLEMS[code].status
        by_status.setdefault(STATUSES.get(status, status), []).append(code)
    return {status: problem_response(*together) for status, together in by_status.items()}
