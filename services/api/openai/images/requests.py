"""Bodies of requests for pictures. What only OpenAI knows (`user`, `style`, `moderation`) is ignored."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from services.api.openai.pictures.answers import ResponseFormat
from services.api.openai.wire.fields import OpenAIFields
from shared.jobs import MOST_CANDIDATES
from shared.schemas.faults import fault
from shared.schemas.fields import LONGEST_PROMPT, Prompt, Seed, Temperature, Text, whole

Quality = Literal["auto", "low", "medium", "high", "xhigh", "max", "standard", "hd"]
Background = Literal["auto", "opaque", "transparent"]
MOST_PARTIALS = 3


def without_auto(value: Any) -> Any:
    """None for `auto`, which is the default; other values stay unchanged."""
    return None if value == "auto" else value


def without_blank(value: Any) -> Any:
    """None for a text of white space alone, which programs send for an empty field."""
    return None if isinstance(value, str) and not value.strip() else value


class PictureFields(OpenAIFields):
    """What generations and edits have in common."""

    prompt: Prompt
    model: Annotated[str, Field(max_length=200)] | None = None
    """Name of a model or of an alias. Default: any model that a worker has."""
    n: Annotated[int, Field(ge=1, le=MOST_CANDIDATES), BeforeValidator(whole)] = 1
    """Number of pictures."""
    size: Annotated[str, Field(pattern=r"^(auto|[1-9][0-9]{0,3}[xX][1-9][0-9]{0,3})?$")] | None = None
    """WIDTHxHEIGHT, which becomes the nearest size of the model, or `auto`. The answer has the true size."""
    aspect_ratio: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,3}:[1-9][0-9]{0,3}$")] | None = None
    """Width to height instead of `size`."""
    quality: Quality = "auto"
    """`high` and `hd` draw two candidates for each picture and keep the better one by its score, `xhigh`
    three, `max` four."""
    background: Background = "auto"
    output_format: Annotated[Literal["png", "webp", "jpeg", "jpg"] | None, BeforeValidator(without_auto)] = (
        None
    )
    output_compression: Annotated[int, Field(ge=0, le=100), BeforeValidator(whole)] | None = None
    """Quality of webp and jpeg."""
    response_format: ResponseFormat = "b64_json"
    stream: bool = False
    partial_images: Annotated[int, Field(ge=0, le=MOST_PARTIALS), BeforeValidator(whole)] = 0
    """Number of partial pictures in a stream."""
    seed: Seed | None = None
    guidance_scale: Annotated[float, Field(ge=1.0, le=30.0)] | None = None
    top_k: Annotated[int, Field(ge=1, le=65_536), BeforeValidator(whole)] | None = None
    temperature: Temperature | None = None
    negative_prompt: Annotated[
        Text | None, Field(max_length=LONGEST_PROMPT), BeforeValidator(without_blank)
    ] = None

    @model_validator(mode="after")
    def _transparency_needs_a_format_that_has_it(self) -> Self:
        if self.background == "transparent" and self.output_format in {"jpeg", "jpg"}:
            words = "a transparent background needs the output_format png or webp"
            raise fault("format_without_transparency", words, "background")
        return self


class PictureReference(OpenAIFields):
    """A picture in JSON."""

    image_url: str | None = None
    """A URL, or a data URL."""
    file_id: str | None = None
    """Id of an uploaded file, or of a picture (`img_...`)."""

    @property
    def given(self) -> str | None:
        """The one of both that is there."""
        return self.image_url or self.file_id


class GenerationRequest(PictureFields):
    """The body of `POST /openai/v1/images/generations`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"prompt": "a red circle", "model": "gpt-image-1", "size": "1024x1024", "seed": 7}]
        }
    )


MOST_IMAGES = 16


class EditRequest(PictureFields):
    """The body of `POST /openai/v1/images/edits` in JSON."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"prompt": "make it blue", "images": [{"file_id": "img_06bq5w3t8wxk9f4m2r7n1c0d5e"}]}
            ]
        }
    )

    images: Annotated[list[PictureReference], Field(max_length=MOST_IMAGES)] = Field(
        default_factory=list[PictureReference]
    )
    """The picture to edit. The model takes one: a warning in the answer says that others are not used."""
    image: str | Annotated[list[str], Field(max_length=MOST_IMAGES)] | PictureReference | None = None
    """The same in the words of older clients."""
    mask: str | PictureReference | None = None
    """Transparent pixels, or white ones of an opaque picture, may change."""

    def pictures(self) -> list[str]:
        """The given pictures."""
        given = [reference.given for reference in self.images]
        match self.image:
            case str():
                given.append(self.image)
            case list():
                given += self.image
            case PictureReference():
                given.append(self.image.given)
            case None:
                pass
        return [picture for picture in given if picture]

    def mask_picture(self) -> str | None:
        """The given mask."""
        return self.mask.given if isinstance(self.mask, PictureReference) else self.mask or None
