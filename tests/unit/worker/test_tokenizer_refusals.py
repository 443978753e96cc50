"""4xx answers from the address of the tokenizer service become TokenizerRefusedError."""

import httpx2
import pytest

from services.worker.tokenizer_client import refusal
from shared.problem_documents import ProblemKind, problem_document


def test_the_code_and_the_sentence_come_from_the_problem_document() -> None:
    kind = ProblemKind(422, "Image unreadable", "The picture is cut short.", "Send it again.")
    document = problem_document(
        kind,
        "image_unreadable",
        "the file ends early",
        service_url="http://tokenizer",
        request_id="request-1",
    )
    error = refusal(httpx2.Response(422, content=document.model_dump_json()))
    assert (error.code, str(error)) == ("image_unreadable", "the file ends early")


@pytest.mark.parametrize("body", ["<h1>403 Forbidden</h1>", "{}", ""])
def test_an_answer_without_a_problem_document_has_the_code_unknown(body: str) -> None:
    error = refusal(httpx2.Response(403, content=body))
    assert (error.code, str(error)) == ("unknown", "the tokenizer service answers 403")
