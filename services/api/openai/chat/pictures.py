"""The choices of a completion: each has one picture, and a text that names it."""

import re

from services.api.openai.chat.answers import (
    CalledFunction,
    ChatImage,
    ChatMessage,
    ImageUrl,
    ToolCall,
)
from services.api.openai.chat.complete import Accepted
from services.api.openai.pictures.answers import base64_of, file_of, format_of, picture_texts
from services.api.process.gateway import Gateway
from shared.ids import IdKind, format_id
from shared.job_view.outputs import OutputRows
from shared.job_view.view import JobRows
from shared.schemas.jobs import OutputFormat

LONGEST_DESCRIPTION = 80


async def drawn_messages(gateway: Gateway, rows: JobRows, accepted: Accepted) -> list[ChatMessage]:
    """One message for each picture of the job. Raises Problem or StorageError."""
    shown = [""] * len(rows.outputs)
    if accepted.markdown:
        links = await picture_texts(gateway, rows, rows.outputs, "url")
        described = description_of(rows)
        shown = [f"![{described}]({link['url']})\n\n" for link in links]
    return [
        ChatMessage(content=markdown + caption(rows, output), images=[await image_of(gateway, rows, output)])
        for markdown, output in zip(shown, rows.outputs, strict=True)
    ]


async def image_of(gateway: Gateway, rows: JobRows, output: OutputRows) -> ChatImage:
    """The picture as a data URL. Raises Problem or StorageError."""
    file_format, quality = format_of(rows)
    data = await file_of(gateway, output.image, file_format, quality)
    url = f"data:image/{file_format or OutputFormat.PNG};base64,{await base64_of(data)}"
    return ChatImage(index=0, image_url=ImageUrl(url=url))


def caption(rows: JobRows, output: OutputRows) -> str:
    """The text of an answer. It names the picture, because not all clients send pictures of answers back."""
    image = output.image
    name = format_id(IdKind.IMAGE, image.id)
    return f"{name} ({image.width}x{image.height}, seed {rows.request.get('seed')})"


def description_of(rows: JobRows) -> str:
    """The instruction as the description of a Markdown picture."""
    words = re.sub(r"[\[\]()!\s]+", " ", rows.request.get("prompt") or "").strip()
    return words[:LONGEST_DESCRIPTION]


def text_message(accepted: Accepted, call_id: str) -> ChatMessage:
    """The message of a request that draws nothing."""
    if accepted.function is None:
        return ChatMessage(content=accepted.text)
    function = CalledFunction(name=accepted.function, arguments=accepted.text or "{}")
    return ChatMessage(content=None, tool_calls=[ToolCall(id=call_id, function=function)])
