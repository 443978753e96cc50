"""Public URLs of resources; no other module builds them."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from shared.ids import IdKind, format_id

MCP_PATH = "/mcp"
"""Path of the Model Context Protocol."""
IMPORT_PATH = "/v1/sessions/import"
"""Path at which the gateway takes exported sessions."""


OPENAI_PATH = "/openai/v1"
"""Path below which the gateway speaks OpenAI's API."""
LINKED_PICTURES = f"{OPENAI_PATH}/pictures"
"""Path of pictures whose addresses may carry a signature."""


def job_path(job_id: UUID) -> str:
    """Path of a job."""
    return f"/v1/jobs/{format_id(IdKind.JOB, job_id)}"


def job_url(public_url: str, job_id: UUID) -> str:
    """URL of a job."""
    return f"{public_url}{job_path(job_id)}"


def mask_url(public_url: str, job_id: UUID) -> str:
    """URL of a job's mask in cells."""
    return f"{job_url(public_url, job_id)}/mask"


def image_url(public_url: str, image_id: UUID) -> str:
    """URL of a picture's description."""
    return f"{public_url}/v1/images/{format_id(IdKind.IMAGE, image_id)}"


def content_url(
    public_url: str, image_id: UUID, file_format: str | None = None, quality: int | None = None
) -> str:
    """URL of a picture's file, or of a conversion of it."""
    wanted = {"format": file_format, "quality": quality}
    query = urlencode({name: value for name, value in wanted.items() if value is not None})
    return f"{image_url(public_url, image_id)}/content{'?' if query else ''}{query}"


def thumbnail_url(public_url: str, image_id: UUID) -> str:
    """URL of a picture's thumbnail."""
    return f"{image_url(public_url, image_id)}/thumbnail"


def session_url(public_url: str, session_id: UUID) -> str:
    """URL of a session."""
    return f"{public_url}/v1/sessions/{format_id(IdKind.SESSION, session_id)}"


def turn_url(public_url: str, session_id: UUID, turn_id: UUID) -> str:
    """URL of a turn."""
    return f"{session_url(public_url, session_id)}/turns/{format_id(IdKind.TURN, turn_id)}"


def picture_link(public_url: str, image_id: UUID, extension: str, query: Mapping[str, Any]) -> str:
    """URL of a picture's file for OpenAI's clients, which look at the extension."""
    return f"{public_url}{LINKED_PICTURES}/{format_id(IdKind.IMAGE, image_id)}.{extension}?{urlencode(query)}"
