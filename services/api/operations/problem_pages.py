"""An explanation of each problem code; the `type` of an error response is its address."""

from fastapi import APIRouter

from services.api.problems.codes import PROBLEMS, Problem, ProblemCode
from services.api.problems.documents import problem_responses
from shared.problem_documents import ProblemDescription, describe_kind

router = APIRouter(prefix="/problems", tags=["problems"])


@router.get("")
async def get_problems() -> list[ProblemDescription]:
    """Every problem code with its cause and remedy."""
    return [describe_kind(PROBLEMS[code], code) for code in ProblemCode]


@router.get("/{code}", responses=problem_responses(ProblemCode.NOT_FOUND))
async def get_problem(code: str) -> ProblemDescription:
    """One problem code with its cause and remedy."""
    if code not in PROBLEMS:
        raise Problem(ProblemCode.NOT_FOUND, "There is no such problem code.")
    return describe_kind(PROBLEMS[ProblemCode(code)], code)
