"""The table of problem codes is complete, and problem documents suit RFC 9457 and OpenAI clients."""

import pytest

from services.api.http.error_handlers import problem_of
from services.api.problems.codes import PROBLEMS, Problem, ProblemCode
from services.api.problems.documents import describe, problem_responses
from services.api.problems.validation import validation_problem
from shared.field_errors import field_error
from shared.storage import StorageError


def test_every_code_is_explained() -> None:
    assert set(PROBLEMS) == set(ProblemCode)
    for kind in PROBLEMS.values():
        assert 400 <= kind.status < 600
        assert kind.cause.endswith(".")
        assert kind.remedy.endswith(".")


@pytest.mark.parametrize("code", ProblemCode)
def test_a_document_holds_the_problem_and_the_error_object(code: ProblemCode) -> None:
    document = describe(Problem(code, "It is so.", param="n"), "https://example.org", "request-1")
    assert document.type == f"https://example.org/problems/{code}"
    assert document.status == PROBLEMS[code].status
    assert document.error.model_dump() == {
        "message": "It is so.",
        "type": PROBLEMS[code].error_type,
        "param": "n",
        "code": code,
    }


def test_an_unforeseen_error_tells_nothing_of_itself() -> None:
    problem = problem_of(RuntimeError("password=secret"))
    assert problem.code is ProblemCode.INTERNAL_ERROR
    assert "secret" not in problem.detail


def test_a_fault_of_the_storage_says_that_waiting_helps() -> None:
    problem = problem_of(StorageError("could not store"))
    assert (problem.code, problem.headers) == (ProblemCode.STORAGE_UNAVAILABLE, {"Retry-After": "2"})


def test_validation_names_every_field_and_repeats_no_value() -> None:
    problem = validation_problem(
        [
            {"loc": ("body", "webhook", "url"), "type": "url_parsing", "msg": "bad URL", "input": "secret"},
            {"loc": ("body",), "type": "value_error", "msg": "Value error, task edit needs image"},
        ]
    )
    assert (problem.param, problem.detail) == ("webhook.url", "webhook.url: bad URL")
    assert [error.message for error in problem.errors] == ["bad URL", "task edit needs image"]


def test_a_lone_surrogate_in_a_field_name_can_be_told() -> None:
    error = field_error({"loc": ("body", "\ud800"), "type": "extra_forbidden", "msg": "not permitted"})
    assert error.param == "\\ud800"
    assert error.model_dump_json()


def test_responses_of_one_status_are_told_together() -> None:
    told = problem_responses(ProblemCode.INVALID_REQUEST, ProblemCode.IMAGE_UNREADABLE)
    assert list(told) == [422]
    assert "`invalid_request`" in told[422]["description"]
    assert "`image_unreadable`" in told[422]["description"]
