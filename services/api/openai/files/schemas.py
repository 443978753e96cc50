"""Files in OpenAI's form."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict

from shared.ids import IdKind, format_id
from shared.tables import OpenAIFile

EXAMPLE: dict[str, Any] = {
    "id": "file_01m8a4vqzhe2fbpdaz3zp1kwsh",
    "object": "file",
    "bytes": 48211,
    "created_at": 1767268800,
    "expires_at": None,
    "filename": "boat.png",
    "purpose": "vision",
    "status": "processed",
    "status_details": None,
}


class FileResponse(BaseModel):
    """A file."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    expires_at: int | None
    filename: str
    purpose: str
    status: Literal["processed"] = "processed"
    status_details: str | None = None

    @classmethod
    def of(cls, file: OpenAIFile) -> Self:
        """The response of a row."""
        return cls(
            id=format_id(IdKind.FILE, file.id),
            bytes=file.byte_size,
            created_at=int(file.created_at.timestamp()),
            expires_at=None if file.expires_at is None else int(file.expires_at.timestamp()),
            filename=file.file_name,
            purpose=file.purpose,
        )


class FileList(BaseModel):
    """One page of files."""

    object: Literal["list"] = "list"
    data: list[FileResponse]
    first_id: str | None
    last_id: str | None
    has_more: bool

    @classmethod
    def of(cls, files: list[OpenAIFile], *, has_more: bool) -> Self:
        """The page with these files."""
        data = [FileResponse.of(file) for file in files]
        ids = [file.id for file in data] or [None]
        return cls(data=data, first_id=ids[0], last_id=ids[-1], has_more=has_more)


class FileDeleted(BaseModel):
    """A file that was deleted."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"id": EXAMPLE["id"], "object": "file", "deleted": True}]}
    )

    id: str
    object: Literal["file"] = "file"
    deleted: Literal[True] = True
