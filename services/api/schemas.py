"""What the gateway alone says over HTTP; jobs have their schemas in `shared.schemas`."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from services.api.addresses import content_url
from shared.ids import IdKind, format_id
from shared.schemas.fields import Time
from shared.tables import Image, ImageOrigin


class ImageResponse(BaseModel):
    """A stored picture."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "img_06bq5w3t8wxk9f4m2r7n1c0d5e",
                    "object": "image",
                    "origin": "uploaded",
                    "media_type": "image/png",
                    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                    "byte_size": 48211,
                    "width": 768,
                    "height": 768,
                    "url": "http://127.0.0.1:8000/v1/images/img_06bq5w3t8wxk9f4m2r7n1c0d5e/content",
                    "created_at": "2026-01-01T12:00:00Z",
                    "expires_at": None,
                }
            ]
        }
    )

    id: str
    object: Literal["image"] = "image"
    origin: ImageOrigin
    media_type: str
    sha256: str
    """Of the bytes."""
    byte_size: int
    width: int
    height: int
    url: str
    """The bytes, for whoever has a key of the project."""
    created_at: Time
    expires_at: Time | None

    @classmethod
    def of(cls, image: Image, public_url: str) -> Self:
        """The resource of a row."""
        return cls(
            id=format_id(IdKind.IMAGE, image.id),
            origin=ImageOrigin(image.origin),
            media_type=image.media_type,
            sha256=image.sha256.hex(),
            byte_size=image.byte_size,
            width=image.width,
            height=image.height,
            url=content_url(public_url, image.id),
            created_at=image.created_at,
            expires_at=image.expires_at,
        )


class ImageUpload(BaseModel):
    """A picture in JSON: base64, a data URL, or a URL to fetch it from."""

    model_config = ConfigDict(extra="forbid")

    image: Annotated[str, Field(min_length=1)]


class ModelResponse(BaseModel):
    """A model that living workers have loaded, in the shape of OpenAI's, with what its workers tell of it."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "id": "tiny",
                    "object": "model",
                    "created": 1767268800,
                    "owned_by": "luminary",
                    "workers": 1,
                    "slots": 4,
                    "tasks": ["text_to_image", "edit", "dense"],
                    "default_size": "256x256",
                    "default_guidance_scale": 4.0,
                    "largest_side": 1536,
                    "precision": "fp32",
                    "device": "cpu",
                }
            ]
        },
    )

    id: str
    object: Literal["model"] = "model"
    created: int
    """Unix seconds at which its oldest living worker started."""
    owned_by: Literal["luminary"] = "luminary"
    workers: int
    slots: int
    """Jobs that run at a time, over all of its workers."""


class ModelList(BaseModel):
    """Every model that could start a job now."""

    object: Literal["list"] = "list"
    data: list[ModelResponse]


class Health(BaseModel):
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok"}]})

    status: Literal["ok"] = "ok"


class ProblemDescription(BaseModel):
    """What a code means."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "code": "image_unreadable",
                    "status": 422,
                    "title": "Image unreadable",
                    "cause": "The bytes are no complete PNG, JPEG or WebP picture.",
                    "remedy": "Send the whole file in one of these formats.",
                }
            ]
        }
    )

    code: str
    status: int
    title: str
    cause: str
    remedy: str
