"""The body of an edit, as JSON or as a form."""

from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from pydantic import TypeAdapter

from services.api.openai.images.requests import MOST_IMAGES, EditRequest, PictureFields
from services.api.openai.wire.fields import validated
from services.api.openai.wire.forms import FORM, is_form, read_form
from services.api.openai.wire.json_body import read_object
from services.api.openai.wire.retries import body_digest
from services.api.problems.codes import Problem, ProblemCode
from shared.problem_documents import FieldError
from shared.schemas.fields import Prompt

Given = TypeVar("Given", str, str | bytes)
FILE = {"type": "string", "format": "binary"}
PROMPT = TypeAdapter(Prompt).json_schema()
EDIT_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "required": ["prompt", "image"],
                    "properties": {
                        "prompt": PROMPT,
                        "image": FILE,
                        "image[]": {"type": "array", "items": FILE, "maxItems": MOST_IMAGES},
                        "mask": FILE,
                    },
                }
            },
            "application/json": {"schema": {"$ref": f"#/components/schemas/{EditRequest.__name__}"}},
        },
    }
}


@dataclass(frozen=True)
class EditBody:
    """What a client has sent."""

    fields: PictureFields
    pictures: list[str | bytes]
    mask: str | bytes | None
    digest: bytes
    """`retries.body_digest`."""


async def read_edit(request: Request) -> EditBody:
    """Read the body. Raises Problem."""
    path = request.url.path
    if is_form(request):
        form = await read_form(request)
        masks = form.sources("mask")
        body = EditBody(
            validated(PictureFields, form.texts, texts=True),
            form.sources("image") or form.sources("images"),
            masks[0] if masks else None,
            body_digest(path, {"texts": form.texts, "files": form.files}),
        )
    else:
        sent = await read_object(request)
        asked = validated(EditRequest, sent)
        body = EditBody(asked, [*asked.pictures()], asked.mask_picture(), body_digest(path, sent))
    pictures_needed(body.pictures)
    return body


def pictures_needed(pictures: list[Given]) -> list[Given]:
    """The pictures. Raises Problem if there are none."""
    if not pictures:
        detail = "image: An edit needs a picture: a file `image` in a form, or `images` in JSON."
        missing = FieldError(param="image", code="missing_for_task", message=detail)
        raise Problem(ProblemCode.INVALID_REQUEST, detail, "image", [missing])
    return pictures
