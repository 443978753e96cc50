"""The request body of POST /openai/v1/responses, as far as drawing needs it."""

from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from services.api.openai.chat.requests import Message, Part
from services.api.openai.wire.fields import OpenAIFields
from shared.schemas.fields import Metadata

TOOL = "image_generation"
CALL = "image_generation_call"
MOST_ITEMS = 4096
MOST_TOOLS = 128


class ItemPart(Part):
    """A part of an input item; a picture may also be named by `file_id`."""

    file_id: str | None = None

    @property
    def picture(self) -> str | None:
        """The address or the id of the part's picture; None for other parts."""
        return super().picture or self.file_id


class Item(OpenAIFields):
    """An input item: a message, the call of a tool, or something else, which is ignored."""

    type: str | None = None
    id: str | None = None
    role: str | None = None
    content: str | list[ItemPart] | None = None
    result: str | None = None
    """The picture of an earlier call in base64."""


class Conversation(OpenAIFields):
    """A conversation by its id."""

    id: str


class ToolChoice(OpenAIFields):
    """A tool that must be called."""

    type: str | None = None


class ResponseRequest(OpenAIFields):
    """A response. With the tool `image_generation` it is a picture, without it a short text."""

    model_config: ClassVar = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "tiny",
                    "input": "a red circle",
                    "tools": [{"type": "image_generation", "size": "auto"}],
                }
            ]
        }
    )

    input: str | Annotated[list[Item], Field(max_length=MOST_ITEMS)]
    model: Annotated[str, Field(max_length=200)] | None = None
    """Name of a model. Names that no worker has are those of language models; then the tool's `model` counts,
    or any model draws."""
    tools: Annotated[list[dict[str, Any]], Field(max_length=MOST_TOOLS)] = Field(
        default_factory=list[dict[str, Any]]
    )
    tool_choice: str | ToolChoice | None = None
    stream: bool = False
    background: bool = False
    """Whether the answer comes at once, while the picture is drawn; then read the response by its id."""
    store: bool = True
    """Whether the response can be read later."""
    previous_response_id: str | None = None
    """The response whose picture this one edits; it may still be drawn."""
    conversation: str | Conversation | None = None
    """The conversation whose newest picture this one edits."""
    metadata: Metadata | None = None
    text: dict[str, Any] | None = None

    @property
    def tool(self) -> dict[str, Any] | None:
        """The options of the tool; None if the request draws nothing."""
        offered = next((tool for tool in self.tools if tool.get("type") == TOOL), None)
        match self.tool_choice:
            case "none":
                return None
            case ToolChoice(type="image_generation"):
                return offered or {"type": TOOL}
            case ToolChoice(type="function"):
                return None
            case _:
                return offered

    @property
    def conversation_id(self) -> str | None:
        """The id of the conversation."""
        given = self.conversation
        return given.id if isinstance(given, Conversation) else given

    @property
    def items(self) -> list[Item]:
        """The input as items."""
        if isinstance(self.input, str):
            return [Item(type="message", role="user", content=self.input)]
        return self.input


def message_of(item: Item) -> Message:
    """The item as a message of a conversation; others than messages and pictures say nothing."""
    if item.type == CALL:
        return Message(role="assistant", images=[ItemPart(image_url=item.result, file_id=item.id)])
    content = item.content if item.type in (None, "message") else None
    return Message(role=item.role or "", content=content)  # type: ignore[arg-type]
