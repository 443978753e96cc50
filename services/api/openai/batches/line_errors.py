"""Why a request of a batch has no pictures, as its line and the error file say it; pure."""

from typing import Any

from services.api.problems.codes import Problem
from shared.problem_documents import ErrorObject

Json = dict[str, Any]


def describe_problem(problem: Problem) -> Json:
    """Status and `error` of a refused request."""
    error = ErrorObject(
        message=problem.detail, type=problem.kind.error_type, param=problem.param, code=problem.code
    )
    return {"status_code": problem.kind.status, "error": error.model_dump()}
