"""Jobs are warned of words that no model which may draw them knows."""

from typing import Any

from services.api.jobs.warn import warnings_of
from shared.schemas.jobs import JobRequest

TINY: dict[str, Any] = {"name": "tiny", "knows": ["ball", "red"]}
WORLD: dict[str, Any] = {"name": "world", "knows": ["ball", "cat"]}
PUBLIC: dict[str, Any] = {"name": "public"}


def words(offers: list[dict[str, Any]], **fields: Any) -> list[tuple[str, list[str]]]:
    request = JobRequest.model_validate({"prompt": "a red ball", **fields})
    return [(warning["param"], warning["words"]) for warning in warnings_of(offers, request)]


def test_every_text_of_the_request_is_read() -> None:
    assert words([TINY]) == []
    assert words([TINY], prompt="a cat", negative_prompt="dogs") == [
        ("prompt", ["cat"]),
        ("negative_prompt", ["dogs"]),
    ]


def test_a_word_is_unknown_if_no_fitting_model_knows_it() -> None:
    assert words([TINY, WORLD], prompt="a red cat") == []
    assert words([TINY, WORLD], prompt="a red cat", model="tiny") == [("prompt", ["cat"])]


def test_a_model_that_lists_no_words_may_know_all() -> None:
    assert words([TINY, PUBLIC], prompt="a cat") == []
    assert words([], prompt="a cat") == []
