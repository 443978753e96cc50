"""Request and response bodies of /v1/images."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from shared.ids import IdKind, format_id
from shared.job_store.restore import RestoreError
from shared.links import content_url, thumbnail_url
from shared.schemas.fields import LARGEST_IMAGE_SOURCE, Time
from shared.tables import Image, ImageOrigin


@dataclass(frozen=True)
class ImageState:
    """What a response shows of a picture besides its row."""

    expires_at: datetime | None = None
    restorable: bool = False
    restoring: bool = False
    restore_error: RestoreError | None = None


class ImageResponse(BaseModel):
    """A stored picture."""

    model_config = ConfigDict(
        use_attribute_docstrings=True,
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
                    "thumbnail_url": "http://127.0.0.1:8000/v1/images/img_06bq5w3t8wxk9f4m2r7n1c0d5e/thumbnail",
                    "created_at": "2026-01-01T12:00:00Z",
                    "expires_at": None,
                    "expired": False,
                    "restorable": False,
                    "restoring": False,
                    "restore_error": None,
                }
            ]
        },
    )

    id: str
    object: Literal["image"] = "image"
    origin: ImageOrigin
    media_type: str
    sha256: str
    """Hash of the file, in hexadecimal."""
    byte_size: int
    width: int
    height: int
    url: str
    """Address of the file; a key of the same project is needed."""
    thumbnail_url: str
    """Address of a WebP of at most 256 pixels a side."""
    created_at: Time
    expires_at: Time | None
    """Time after which the file is deleted, by the project's retention; null for never."""
    expired: bool
    """Whether the file is gone: its routes answer 410."""
    restorable: bool
    """Whether the file is gone, but can be decoded from its tokens again."""
    restoring: bool
    """Whether the file is being decoded again."""
    restore_error: RestoreError | None
    """Why the last restore failed: the image tokenizer has other weights now (`other_tokenizer`), it refuses
    the tokens (`refused`), the picture whose pixels it has cannot be restored (`canvas_expired`), or all
    tries failed (`given_up`)."""

    @classmethod
    def of(cls, image: Image, state: ImageState, public_url: str) -> Self:
        """The response of a row."""
        return cls(
            id=format_id(IdKind.IMAGE, image.id),
            origin=ImageOrigin(image.origin),
            media_type=image.media_type,
            sha256=image.sha256.hex(),
            byte_size=image.byte_size,
            width=image.width,
            height=image.height,
            url=content_url(public_url, image.id),
            thumbnail_url=thumbnail_url(public_url, image.id),
            created_at=image.created_at,
            expires_at=state.expires_at,
            expired=image.is_expired,
            restorable=state.restorable,
            restoring=state.restoring,
            restore_error=state.restore_error,
        )


class ImageUpload(BaseModel):
    """A picture in JSON: base64, a data URL, or a URL that the gateway fetches."""

    model_config = ConfigDict(extra="forbid")

    image: Annotated[str, Field(min_length=1, max_length=LARGEST_IMAGE_SOURCE)]
