"""Read the JSON body of a request into a Pydantic model: strictly, within limits, pictures unparsed."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from services.api.http.json_text import MarkCounter, check_json, malformed
from services.api.http.long_strings import LONG_BYTES, CutText, cut_long_strings, texts
from services.api.problems.codes import Problem, ProblemCode
from services.api.problems.validation import validation_problem
from shared.problem_documents import FieldError
from shared.schemas.fields import check_image_source

Model = TypeVar("Model", bound=BaseModel)

JSON = "application/json"
MOST_TEXT_BYTES = 1024 * 1024
"""Limit of a JSON body without its pictures."""


async def read_json(request: Request, model: type[Model], pictures: Sequence[str]) -> Model:
    """Read the body as the model. `pictures`: names of fields that may hold pictures in base64.

    Raises Problem. A long body is parsed in a thread, so that other requests are answered meanwhile.
    """
    require_json(request)
    text = await receive_json(request)
    if len(text) <= LONG_BYTES:
        return parse(text, model, pictures)
    return await asyncio.to_thread(parse, text, model, pictures)


async def read_optional_json(request: Request, model: type[Model]) -> Model:
    """The body as the model, or the model's defaults if the request has no body. Raises Problem."""
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    return await read_json(request, model, ()) if has_body else model()


def body_schema(model: type[BaseModel]) -> dict[str, Any]:
    """OpenAPI description of a body that `read_json` reads instead of FastAPI."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}}


def described_body(
    model: type[BaseModel], example: dict[str, Any], *, required: bool = True
) -> dict[str, Any]:
    """OpenAPI description of a body that `read_json` reads, with its schema and an example."""
    content = {"schema": model.model_json_schema(), "examples": {"usual": {"value": example}}}
    return {"requestBody": {"required": required, "content": {JSON: content}}}


def media_type_of(request: Request) -> str:
    """The media type of Content-Type without parameters; empty if the header is missing."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def require_json(request: Request) -> None:
    """Raise Problem unless Content-Type is application/json."""
    media_type = media_type_of(request)
    if media_type != JSON:
        found = f"The Content-Type is {media_type[:80]}" if media_type else "The request has no Content-Type"
        raise Problem(
            ProblemCode.UNSUPPORTED_MEDIA_TYPE,
            f"{found}; send `Content-Type: {JSON}`.",
            param="Content-Type",
        )


async def receive_json(request: Request) -> bytearray:
    """Receive the whole body. Raises Problem as soon as a limit is exceeded, or ClientDisconnect."""
    text, marks = bytearray(), MarkCounter()
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece: bytes = message.get("body", b"")
        marks.add(piece)
        text += piece
        more = message.get("more_body", False)
    return text


def parse(text: bytearray, model: type[Model], pictures: Sequence[str]) -> Model:
    """Parse and validate the JSON; empties `text`. Raises Problem that names the faulty field."""
    if not text:
        raise malformed("it is empty")
    cut = cut_long_strings(text, MOST_TEXT_BYTES)
    if cut is None:
        detail = f"The JSON without its pictures has more than {MOST_TEXT_BYTES} bytes."
        raise Problem(ProblemCode.BODY_TOO_LARGE, detail, param="body")
    check_json(cut.text)
    try:
        value = model.model_validate_json(cut.text, strict=True)
    except ValidationError as error:
        raise validation_problem(error.errors(include_url=False, include_input=False), model) from error
    return with_long_strings(value, cut, pictures)


def with_long_strings(value: Model, cut: CutText, pictures: Sequence[str]) -> Model:
    """Put the cut pictures back into the model. Raises Problem for a long string in any other field."""
    found: dict[str, str | list[str]] = {}
    for name in pictures:
        match getattr(value, name):
            case str() as given if (string := cut.take(given)) is not None:
                found[name] = checked_source(name, string)
            case list() as given:
                found[name] = [restored(name, one, cut) for one in given]
            case _:
                pass
    for stand_in in cut.strings:
        place = next((path for path, text in texts(json.loads(cut.text)) if text == stand_in), "body")
        detail = f"{place}: Only pictures may be longer than {LONG_BYTES} bytes."
        error = FieldError(param=place[:100], code="string_too_long", message=detail)
        raise Problem(ProblemCode.INVALID_REQUEST, detail, param=error.param, errors=[error])
    return value.model_copy(update=found)


def restored(name: str, given: str, cut: CutText) -> str:
    """A picture in a list: the long string behind a placeholder, or the text itself. Raises Problem."""
    string = cut.take(given)
    return given if string is None else checked_source(name, string)


def checked_source(name: str, string: str) -> str:
    """The string, which must be bare base64 or a data URL. Raises Problem for any other long URL."""
    if ":" in string[:20]:
        try:
            return check_image_source(string)
        except ValueError as error:
            raise Problem(ProblemCode.INVALID_REQUEST, f"{name}: {error}", param=name) from error
    return string
