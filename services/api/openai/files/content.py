"""Send the content of a file in pieces, because the results of a batch may have gigabytes."""

from starlette.responses import Response, StreamingResponse

from services.api.images.repository import find_image, read_content
from services.api.openai.files.parts import JSON_LINES, read_parts
from services.api.process.gateway import Gateway
from shared.tables import OpenAIFile


async def file_answer(gateway: Gateway, file: OpenAIFile) -> Response:
    """The response with the whole file. Raises Problem or StorageError."""
    if file.image_id is not None:
        async with gateway.database.transaction() as session:
            image = await session.run_sync(find_image, file.project_id, file.image_id)
        return Response(await read_content(gateway, image), media_type=image.media_type)
    headers = {"Content-Length": str(file.byte_size)}
    return StreamingResponse(read_parts(gateway, file), media_type=JSON_LINES, headers=headers)
