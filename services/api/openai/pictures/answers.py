"""A picture of a job as OpenAI's clients read it: the file in base64, or an address."""

import asyncio
import base64
from collections.abc import Sequence
from typing import Literal

from services.api.images.credentials import with_credentials
from services.api.images.derivatives import conversion_of, read_converted
from services.api.openai.pictures.links import LinkedPicture, sign_link
from services.api.process.gateway import Gateway
from shared.job_view.outputs import OutputRows
from shared.job_view.view import JobRows
from shared.schemas.jobs import OutputFormat
from shared.tables import Image

ResponseFormat = Literal["b64_json", "url"]


def format_of(rows: JobRows) -> tuple[OutputFormat | None, int | None]:
    """The format and the quality that the job's request names."""
    given = rows.request.get("output_format")
    quality = rows.request.get("output_quality")
    return None if given is None else OutputFormat(given), quality


async def file_of(
    gateway: Gateway, image: Image, file_format: OutputFormat | None, quality: int | None
) -> bytes:
    """The picture's file in the format, with credentials. Raises Problem or StorageError."""
    conversion = conversion_of(image, file_format, quality)
    data = await read_converted(gateway, image, conversion)
    media_type = image.media_type if conversion is None else conversion.media_type
    return await with_credentials(gateway, image, data, media_type)


async def base64_of(data: bytes) -> str:
    """The bytes in base64; a large picture is encoded in a thread."""
    return (await asyncio.to_thread(base64.b64encode, data)).decode("ascii")


async def picture_texts(
    gateway: Gateway, rows: JobRows, outputs: Sequence[OutputRows], response_format: ResponseFormat
) -> list[dict[str, str]]:
    """For each output `{"b64_json": ...}` or `{"url": ...}`. Raises Problem or StorageError."""
    file_format, quality = format_of(rows)
    if response_format == "b64_json":
        files = [await file_of(gateway, output.image, file_format, quality) for output in outputs]
        return [{"b64_json": await base64_of(data)} for data in files]
    pictures = [
        LinkedPicture(rows.job.project_id, output.image.id, file_format, quality) for output in outputs
    ]
    return [{"url": await link_to(gateway, picture)} for picture in pictures]


async def link_to(gateway: Gateway, picture: LinkedPicture) -> str:
    """A signed address of the picture."""
    async with gateway.database.transaction() as session:
        return await session.run_sync(sign_link, gateway.settings.gateway.public_url, picture)
