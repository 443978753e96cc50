"""The body of an upload: a form with a file, its purpose and perhaps the time after which it expires."""

from typing import Annotated, Any, Literal, get_args

from fastapi import Request
from pydantic import Field

from services.api.auth.api_keys import Caller
from services.api.openai.files.store import Upload, store_file
from services.api.openai.wire.fields import OpenAIFields, validated
from services.api.openai.wire.forms import FORM, is_form, read_form
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from shared.problem_documents import FieldError
from shared.tables import OpenAIFile

SHORTEST_SECONDS, LONGEST_SECONDS = 3600, 2_592_000
"""Bounds of `expires_after`, as in OpenAI's API."""
LONGEST_FILE_NAME = 255
Purpose = Literal["vision", "batch", "user_data", "assistants", "evals"]
"""Purposes of OpenAI's clients; all but `batch` are for pictures."""
UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "required": ["file", "purpose"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "purpose": {"type": "string", "enum": list(get_args(Purpose))},
                        "expires_after[anchor]": {"type": "string", "enum": ["created_at"]},
                        "expires_after[seconds]": {
                            "type": "integer",
                            "minimum": SHORTEST_SECONDS,
                            "maximum": LONGEST_SECONDS,
                        },
                    },
                }
            }
        },
    }
}


class UploadFields(OpenAIFields):
    """The fields beside the file."""

    purpose: Purpose
    anchor: Literal["created_at"] | None = Field(default=None, alias="expires_after[anchor]")
    seconds: Annotated[int, Field(ge=SHORTEST_SECONDS, le=LONGEST_SECONDS)] | None = Field(
        default=None, alias="expires_after[seconds]"
    )


async def store_upload(request: Request, gateway: Gateway, caller: Caller) -> OpenAIFile:
    """Store the uploaded file. Raises Problem."""
    if not is_form(request):
        detail = f"Send the file as `Content-Type: {FORM}`."
        raise Problem(ProblemCode.UNSUPPORTED_MEDIA_TYPE, detail, param="Content-Type")
    form = await read_form(request)
    files = form.files.get("file")
    if not files:
        detail = "The form needs a file in the field `file`."
        missing = FieldError(param="file", code="missing_for_task", message=detail)
        raise Problem(ProblemCode.INVALID_REQUEST, detail, "file", [missing])
    fields = validated(UploadFields, form.texts, texts=True)
    name = form.file_names.get("file", "").replace("\0", "")[:LONGEST_FILE_NAME] or "upload"
    upload = Upload(files[0], fields.purpose, name, fields.seconds)
    return await store_file(gateway, caller.project_id, upload)
