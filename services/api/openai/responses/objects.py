"""Responses, their lists and conversations in OpenAI's form."""

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Status = Literal["queued", "in_progress", "completed", "failed", "cancelled", "incomplete"]
EXAMPLE: dict[str, Any] = {
    "id": "resp_01m8a4vqzhe2fbpdaz3zp1kwsh",
    "object": "response",
    "created_at": 1_767_268_800,
    "completed_at": 1_767_268_810,
    "status": "completed",
    "background": False,
    "conversation": {"id": "conv_01m8a4vqzhe2fbpdaz3zp1kwsh"},
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "model": "tiny",
    "output": [
        {
            "id": "ig_01m8a4vqzhe2fbpdaz3zp1kwsh",
            "type": "image_generation_call",
            "status": "completed",
            "result": "iVBORw0KGgo...",
            "action": "generate",
            "background": "opaque",
            "output_format": "png",
            "quality": "auto",
            "revised_prompt": None,
            "size": "256x256",
        }
    ],
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "store": True,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [{"type": "image_generation"}],
    "top_p": None,
    "truncation": "disabled",
    "usage": {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 1024,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 1029,
    },
    "user": None,
    "luminary": {
        "job_id": "job_01m8a4vqzhe2fbpdaz3zp1kwsh",
        "session_id": "ses_01m8a4vqzhe2fbpdaz3zp1kwsh",
        "image_id": "img_06bq5w3t8wxk9f4m2r7n1c0d5e",
        "seed": 7,
    },
}
CONVERSATION_EXAMPLE: dict[str, Any] = {
    "id": "conv_01m8a4vqzhe2fbpdaz3zp1kwsh",
    "object": "conversation",
    "created_at": 1_767_268_800,
    "metadata": {"topic": "boats"},
}
ITEMS_EXAMPLE: dict[str, Any] = {
    "object": "list",
    "data": [
        {
            "id": "msg_01m8a4vqzhe2fbpdaz3zp1kwsh_0",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_text", "text": "a red circle"}],
        }
    ],
    "first_id": "msg_01m8a4vqzhe2fbpdaz3zp1kwsh_0",
    "last_id": "msg_01m8a4vqzhe2fbpdaz3zp1kwsh_0",
    "has_more": False,
}


class Fault(BaseModel):
    """Why a response has failed."""

    code: str
    message: str


class ConversationId(BaseModel):
    """The conversation of a response."""

    id: str


class InputDetails(BaseModel):
    """Tokens that a cache has saved; there is none."""

    cached_tokens: int = 0
    cache_write_tokens: int = 0


class OutputDetails(BaseModel):
    """Tokens of thoughts; there are none."""

    reasoning_tokens: int = 0


class ResponseUsage(BaseModel):
    """Tokens: words of the prompt, and cells of the picture."""

    input_tokens: int = 0
    input_tokens_details: InputDetails = InputDetails()
    output_tokens: int = 0
    output_tokens_details: OutputDetails = OutputDetails()
    total_tokens: int = 0


class DrawnBy(BaseModel):
    """The job, the session and the picture behind a response, for the routes below /v1."""

    job_id: str
    session_id: str
    image_id: str | None
    seed: int | None


class ResponseObject(BaseModel):
    """A response. Fields that only a language model knows are those of the request."""

    model_config: ClassVar = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    id: str
    object: Literal["response"] = "response"
    created_at: int
    completed_at: int | None = None
    status: Status
    background: bool = False
    conversation: ConversationId | None = None
    error: Fault | None = None
    incomplete_details: None = None
    instructions: Any = None
    max_output_tokens: Any = None
    metadata: dict[str, str] = Field(default_factory=dict[str, str])
    model: str
    output: list[dict[str, Any]] = Field(default_factory=list[dict[str, Any]])
    parallel_tool_calls: Any = True
    previous_response_id: str | None = None
    store: bool = True
    temperature: Any = None
    text: Any = Field(default_factory=lambda: {"format": {"type": "text"}})
    tool_choice: Any = "auto"
    tools: list[dict[str, Any]] = Field(default_factory=list[dict[str, Any]])
    top_p: Any = None
    truncation: Any = "disabled"
    usage: ResponseUsage | None = None
    user: Any = None
    luminary: DrawnBy | None = None


class DeletedResponse(BaseModel):
    """A response that was deleted."""

    model_config: ClassVar = ConfigDict(
        json_schema_extra={
            "examples": [
                {"id": "resp_01m8a4vqzhe2fbpdaz3zp1kwsh", "object": "response.deleted", "deleted": True}
            ]
        }
    )

    id: str
    object: Literal["response.deleted", "conversation.deleted"] = "response.deleted"
    deleted: Literal[True] = True


class ItemList(BaseModel):
    """A page of items."""

    model_config: ClassVar = ConfigDict(json_schema_extra={"examples": [ITEMS_EXAMPLE]})

    object: Literal["list"] = "list"
    data: list[dict[str, Any]]
    first_id: str | None
    last_id: str | None
    has_more: bool


class ConversationObject(BaseModel):
    """A conversation, which is a session."""

    model_config: ClassVar = ConfigDict(json_schema_extra={"examples": [CONVERSATION_EXAMPLE]})

    id: str
    object: Literal["conversation"] = "conversation"
    created_at: int
    metadata: dict[str, str]
