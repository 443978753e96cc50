"""Descriptions of errors in logs contain no values and no secrets."""

import io
import json
import logging

import psycopg
import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.exc import IntegrityError, StatementError

from shared.error_words import traceback_of, without_secrets, words_of
from shared.telemetry import JsonFormatter, PlainFormatter

SECRET = "hunter2"
DUPLICATE = (
    f'duplicate key value violates unique constraint "uq_keys"\nDETAIL:  Key (sha256)=({SECRET}) exists.'
)


class Prompted(BaseModel):
    """A model with a prompt."""

    model_config = ConfigDict(extra="forbid")

    prompt: str = Field(max_length=3)


def refused_row() -> IntegrityError:
    """The exception of SQLAlchemy for a duplicate row, with its parameters."""
    return IntegrityError("INSERT INTO keys", {"key": SECRET}, psycopg.errors.UniqueViolation(DUPLICATE))


def logged(error: BaseException, formatter: logging.Formatter) -> str:
    """The log line of an error that is logged with its traceback and as a field."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.getLogger("test of words")
    logger.addHandler(handler)
    logger.error("it failed", exc_info=error, extra={"reason": error})
    logger.removeHandler(handler)
    return stream.getvalue()


def test_a_refused_row_is_told_by_its_constraint_and_sqlstate() -> None:
    """Fixed bug: the log contained SQL parameters and DETAIL, such as a webhook's URL with its password."""
    assert words_of(refused_row()) == (
        'UniqueViolation: duplicate key value violates unique constraint "uq_keys" (SQLSTATE 23505)'
    )


def test_a_message_that_quotes_the_value_is_left_out() -> None:
    error = psycopg.errors.InvalidTextRepresentation(f'invalid input syntax for type uuid: "{SECRET}"')
    assert words_of(error) == "InvalidTextRepresentation (SQLSTATE 22P02)"


def test_a_statement_that_cannot_be_sent_is_told_without_its_parameters() -> None:
    error = StatementError("wrong type", "INSERT", {"key": SECRET}, TypeError("no bytes"))
    assert words_of(error) == "no bytes"


@pytest.mark.parametrize("body", [{"prompt": SECRET}, {"prompt": "a", SECRET: 1}])
def test_a_validation_error_names_the_field_and_never_the_input(body: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refused:
        Prompted.model_validate(body)
    assert SECRET in str(refused.value)
    assert SECRET not in words_of(refused.value)


@pytest.mark.parametrize("formatter", [JsonFormatter("test"), PlainFormatter()])
def test_a_traceback_with_its_chain_holds_no_value(formatter: logging.Formatter) -> None:
    try:
        try:
            raise refused_row()
        except IntegrityError as cause:
            raise ExceptionGroup("both", [refused_row(), ValueError("plain")]) from cause
    except ExceptionGroup as error:
        line = logged(error, formatter)
    assert SECRET not in line
    assert "direct cause" in line
    assert "uq_keys" in line
    assert "ValueError: plain" in line
    assert "test_error_words.py" in line


def test_a_line_of_json_stays_json() -> None:
    line = json.loads(logged(ValueError('see https://a.example/b?sig=1" and "x\\y"'), JsonFormatter("test")))
    assert line["reason"] == 'see https://a.example/b?***" and "x\\y"'


def test_a_long_chain_is_cut() -> None:
    error = ValueError("first")
    for number in range(2000):
        later = ValueError(f"number {number}")
        later.__cause__ = error
        error = later
    assert len(traceback_of(error).splitlines()) < 50


@pytest.mark.parametrize(
    "text",
    [
        f"https://user:{SECRET}@example.org/hook",
        f"https://user:p@{SECRET}@example.org/hook",
        f"postgresql://luminary:{SECRET}@127.0.0.1:5432/luminary",
        f"GET https://bucket.example/a.png?X-Amz-Signature={SECRET}&b=1",
        f"/a.png?X-Amz-Credential={SECRET}",
        f"Bearer lum_{SECRET}{SECRET}",
        f"whsec_{SECRET}{SECRET}==",
        f"exception=UniqueViolation('duplicate\\nDETAIL:  Key (url)=({SECRET}) already exists.')",
        f"[parameters: {{'url': '{SECRET}'}}]",
    ],
)
def test_secrets_are_cut_out_of_any_text(text: str) -> None:
    assert SECRET in text
    assert SECRET not in without_secrets(text)


@pytest.mark.parametrize(
    "text", ["GET /v1/jobs?status=done", "a@b is no address", "what? https://a.example/b"]
)
def test_other_text_stays(text: str) -> None:
    assert without_secrets(text) == text
