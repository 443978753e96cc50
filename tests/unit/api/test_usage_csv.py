"""Usage as CSV: no text of a row is a formula."""

import csv
import io

import pytest

from services.api.usage.schemas import EXAMPLE, UsageReport
from services.api.usage.write_csv import write_csv

AMOUNTS = {"jobs": 1, "images": 1, "prompt_tokens": 1, "tokens_done": 1, "compute_seconds": 0.000001}


def model_in_csv(model: str | None) -> str:
    """The field of a row with this model."""
    row = {"model": model, **AMOUNTS}
    report = UsageReport.model_validate(EXAMPLE | {"group_by": ["model"], "data": [row]})
    [found] = csv.DictReader(io.StringIO(write_csv(report), newline=""))
    assert float(found["compute_seconds"]) == AMOUNTS["compute_seconds"]
    return found["model"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_text_that_begins_like_a_formula_gets_an_apostrophe(start: str) -> None:
    assert model_in_csv(f"{start}1+1") == f"'{start}1+1"


@pytest.mark.parametrize(
    ("model", "field"), [("tiny", "tiny"), ("a=b", "a=b"), ("x,\n\"y'", "x,\n\"y'"), (None, "")]
)
def test_other_texts_stay_as_they_are(model: str | None, field: str) -> None:
    assert model_in_csv(model) == field
