"""The body of POST /v1/images: multipart/form-data with a file, or JSON with base64, a data URL or a URL."""

from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile

from services.api.http.json_bodies import media_type_of, read_json
from services.api.images.schemas import ImageUpload
from services.api.images.sources import read_source
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from shared.field_errors import LONGEST_NAME
from shared.problem_documents import FieldError
from shared.spelling import no_such_name

FORM = "multipart/form-data"
FILE_FIELD = "file"
MOST_FIELDS = 8

UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "required": [FILE_FIELD],
                    "additionalProperties": False,
                    "properties": {FILE_FIELD: {"type": "string", "format": "binary"}},
                }
            },
            "application/json": {
                "schema": ImageUpload.model_json_schema(),
                "examples": {
                    "data_url": {"value": {"image": "data:image/png;base64,iVBORw0KGgo..."}},
                    "url": {"value": {"image": "https://example.org/cat.png"}},
                },
            },
        },
    }
}


async def read_upload(request: Request, gateway: Gateway) -> bytes:
    """The bytes of the upload, not decoded yet. Raises Problem."""
    if media_type_of(request) == FORM:
        return await read_form(request)
    return await read_source(gateway, (await read_json(request, ImageUpload, ["image"])).image)


async def read_form(request: Request) -> bytes:
    """The bytes of the form field `file`; its file name and type are ignored. Raises Problem."""
    async with request.form(max_files=1, max_fields=MOST_FIELDS) as form:
        file = form.get(FILE_FIELD)
        surplus = [surplus_field(name) for name in form if name != FILE_FIELD]
        if not isinstance(file, UploadFile):
            detail = f"The form needs a file in the field `{FILE_FIELD}`."
            missing = FieldError(param=FILE_FIELD, code="missing", message=detail)
            raise Problem(ProblemCode.INVALID_REQUEST, detail, FILE_FIELD, [missing, *surplus])
        if surplus:
            raise Problem(ProblemCode.INVALID_REQUEST, surplus[0].message, surplus[0].param, surplus)
        return await file.read()


def surplus_field(name: str) -> FieldError:
    """The error of an unknown form field."""
    message = no_such_name("field", name, [FILE_FIELD])
    return FieldError(param=name[:LONGEST_NAME], code="extra_forbidden", message=message)
