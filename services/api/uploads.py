"""The body of POST /v1/images: multipart/form-data with a file, or JSON with base64, a data URL or a URL."""

from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from services.api.dependencies import GatewayDep
from services.api.image_sources import read_source
from services.api.problems import Problem, ProblemCode
from services.api.schemas import ImageUpload
from services.api.validation import validation_problem

FILE_FIELD = "file"
MOST_FIELDS = 8

UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FILE_FIELD],
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


async def read_upload(request: Request, gateway: GatewayDep) -> bytes:
    """The picture's bytes, not judged yet. Raises Problem."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    match media_type:
        case "multipart/form-data":
            return await read_form(request)
        case "application/json":
            return await read_source(gateway, parse_upload(await request.body()).image)
        case _:
            raise Problem(ProblemCode.UNSUPPORTED_MEDIA_TYPE, "Send multipart/form-data or application/json.")


async def read_form(request: Request) -> bytes:
    """The bytes of the field `file`; its name and type in the form are not trusted. Raises Problem."""
    async with request.form(max_files=1, max_fields=MOST_FIELDS) as form:
        file = form.get(FILE_FIELD)
        if not isinstance(file, UploadFile):
            detail = f"The form needs a file in the field {FILE_FIELD!r}."
            raise Problem(ProblemCode.INVALID_REQUEST, detail, param=FILE_FIELD)
        return await file.read()


def parse_upload(body: bytes) -> ImageUpload:
    """The JSON body. Raises Problem."""
    try:
        return ImageUpload.model_validate_json(body)
    except ValidationError as error:
        raise validation_problem(error.errors()) from error


UploadedBytes = Annotated[bytes, Depends(read_upload)]
"""Read after authentication when the route names the caller first."""
