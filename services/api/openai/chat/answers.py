"""Chat completions and their chunks in OpenAI's form, with pictures as OpenRouter sends them."""

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from shared.tables import UsageRecord

EXAMPLE: dict[str, Any] = {
    "id": "chatcmpl-01m8a4vqzhe2fbpdaz3zp1kwsh",
    "object": "chat.completion",
    "created": 1_767_268_800,
    "model": "tiny",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "img_06bq5w3t8wxk9f4m2r7n1c0d5e (256x256, seed 7)",
                "images": [
                    {
                        "type": "image_url",
                        "index": 0,
                        "image_url": {"url": "data:image/png;base64,iVBORw0KGgo..."},
                    }
                ],
                "refusal": None,
            },
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 1024, "total_tokens": 1029},
    "luminary": {"job_id": "job_01m8a4vqzhe2fbpdaz3zp1kwsh", "session_id": "ses_01m8a4vqzhe2fbpdaz3zp1kwsh"},
}


class ImageUrl(BaseModel):
    """Address of a picture."""

    url: str


class ChatImage(BaseModel):
    """A picture of an answer, as a data URL."""

    type: Literal["image_url"] = "image_url"
    index: int
    image_url: ImageUrl


class CalledFunction(BaseModel):
    """A call of a function. arguments: JSON."""

    name: str
    arguments: str


class ToolCall(BaseModel):
    """A call that the client has demanded."""

    index: int = 0
    id: str
    type: Literal["function"] = "function"
    function: CalledFunction


class ChatMessage(BaseModel):
    """An answer, or in a stream a part of one."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: None = None
    images: list[ChatImage] | None = None
    tool_calls: list[ToolCall] | None = None


class Choice(BaseModel):
    """One of the `n` answers."""

    index: int
    message: ChatMessage
    logprobs: None = None
    finish_reason: Literal["stop"] = "stop"


class ChunkChoice(BaseModel):
    """A part of one of the `n` answers."""

    index: int
    delta: dict[str, Any]
    """Fields of a `ChatMessage`."""
    logprobs: None = None
    finish_reason: Literal["stop"] | None = None


class ChatUsage(BaseModel):
    """Tokens: words of the prompt, and cells of the pictures."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0

    @classmethod
    def of(cls, record: UsageRecord | None) -> "ChatUsage":
        """The usage of a job."""
        words, cells = (0, 0) if record is None else (record.prompt_tokens, record.tokens_done)
        return cls(prompt_tokens=words, completion_tokens=cells, total_tokens=words + cells)


class DrawnBy(BaseModel):
    """The job and the session behind an answer, for the routes below /v1."""

    job_id: str
    session_id: str


class ChatCompletion(BaseModel):
    """An answer."""

    model_config: ClassVar = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: ChatUsage
    luminary: DrawnBy | None = None


class ChatChunk(BaseModel):
    """A part of an answer in a stream."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: ChatUsage | None = None
    luminary: DrawnBy | None = None
