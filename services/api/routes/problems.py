"""What each problem code means: where the `type` of a refusal leads."""

from fastapi import APIRouter

from services.api.problem_documents import problem_responses
from services.api.problems import PROBLEMS, Problem, ProblemCode
from services.api.schemas import ProblemDescription

router = APIRouter(prefix="/problems", tags=["problems"])


def describe_code(code: ProblemCode) -> ProblemDescription:
    """The table's entry."""
    kind = PROBLEMS[code]
    return ProblemDescription(
        code=code.value, status=kind.status, title=kind.title, cause=kind.cause, remedy=kind.remedy
    )


@router.get("")
async def get_problems() -> list[ProblemDescription]:
    """Every code."""
    return [describe_code(code) for code in ProblemCode]


@router.get("/{code}", responses=problem_responses(ProblemCode.NOT_FOUND))
async def get_problem(code: str) -> ProblemDescription:
    """One code."""
    if code not in PROBLEMS:
        raise Problem(ProblemCode.NOT_FOUND, "There is no such problem code.")
    return describe_code(ProblemCode(code))
