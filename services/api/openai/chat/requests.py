"""The request body of POST /openai/v1/chat/completions, as far as drawing needs it."""

from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from services.api.openai.wire.fields import OpenAIFields
from shared.jobs import MOST_CANDIDATES

MOST_MESSAGES = 2048
Count = Annotated[int, Field(ge=0)]


class PictureUrl(OpenAIFields):
    """Address of a picture."""

    url: str | None = None


class Part(OpenAIFields):
    """A part of a message: text, a picture, or something else, which is ignored."""

    type: str | None = None
    text: str | None = None
    image_url: PictureUrl | str | None = None

    @property
    def picture(self) -> str | None:
        """The address of the part's picture; None for other parts."""
        return self.image_url.url if isinstance(self.image_url, PictureUrl) else self.image_url


class Message(OpenAIFields):
    """One message of the conversation."""

    role: str
    content: str | list[Part] | None = None
    images: list[Part] | None = None
    """Pictures of an answer, which some clients send back."""

    @property
    def text(self) -> str:
        """All text of the message."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.text)
        return self.content or ""

    @property
    def pictures(self) -> list[str]:
        """The addresses of its pictures in their order, without those in its text."""
        parts = [*(self.content if isinstance(self.content, list) else ()), *(self.images or ())]
        return [part.picture for part in parts if part.picture]


class StreamOptions(OpenAIFields):
    """Options of a stream."""

    include_usage: bool | None = None


class Function(OpenAIFields):
    """A function that the model is asked to call."""

    name: str | None = None
    parameters: dict[str, Any] | None = None


class Tool(OpenAIFields):
    """A tool that the client offers."""

    type: str | None = None
    function: Function | None = None


class JsonSchema(OpenAIFields):
    """A schema for the answer."""

    schema_: dict[str, Any] | None = Field(default=None, alias="schema")


class AnswerFormat(OpenAIFields):
    """The wanted form of the answer: `text`, `json_object` or `json_schema`."""

    type: str | None = None
    json_schema: JsonSchema | None = None


class ChatRequest(OpenAIFields):
    """A conversation. The last message of the user says what to draw, or to change in its last picture."""

    model_config: ClassVar = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "gpt-image-1",
                    "messages": [{"role": "user", "content": "a red circle"}],
                    "modalities": ["image", "text"],
                }
            ]
        }
    )

    messages: Annotated[list[Message], Field(min_length=1, max_length=MOST_MESSAGES)]
    model: Annotated[str, Field(max_length=200)] | None = None
    n: Annotated[int, Field(ge=1, le=MOST_CANDIDATES)] = 1
    """Number of choices, each with a picture of its own."""
    stream: bool = False
    stream_options: StreamOptions | None = None
    modalities: list[str] | None = None
    """With `text` alone, the answer is a short text."""
    image_config: dict[str, Any] = Field(default_factory=dict[str, Any])
    """Wishes about the picture: `aspect_ratio` as at OpenRouter, and the fields of
    `POST /openai/v1/images/generations`, such as `size`, `seed` and `guidance_scale`."""
    seed: int | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    response_format: AnswerFormat | None = None
    tools: list[Tool] | None = None
    tool_choice: str | Tool | None = None
    markdown_images: bool = False
    """Whether the text of the answer shows the picture in Markdown, for clients that read no `images`."""

    @property
    def most_tokens(self) -> int | None:
        """The limit of the answer's tokens, if the client has set one."""
        return self.max_completion_tokens if self.max_tokens is None else self.max_tokens

    @property
    def forced_function(self) -> Function | None:
        """The function that the client wants called in any case; None if it leaves the choice."""
        offered = [tool.function for tool in self.tools or () if tool.function is not None]
        if isinstance(self.tool_choice, Tool) and self.tool_choice.function is not None:
            name = self.tool_choice.function.name
            return next((function for function in offered if function.name == name), None)
        return offered[0] if self.tool_choice == "required" and len(offered) == 1 else None
