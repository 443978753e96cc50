"""Field types that several resources share."""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from shared.ids import IdKind, MalformedIdError, id_pattern, parse_id
from shared.seeds import SEED_LIMIT
from shared.sizes import GRID_PIXELS, LARGEST_SIDE, PixelSize


def any_case(text: str) -> str:
    """A regular expression that matches the text in any case; JSON schemas have no flag for that."""
    return "".join(f"[{letter.lower()}{letter.upper()}]" if letter.isalpha() else letter for letter in text)


SMALLEST_TEMPERATURE = 1e-6
"""Smallest temperature but 0. Dividing logits by a smaller one overflows; 0 takes the likeliest code."""
SIDES = "|".join(str(side) for side in range(GRID_PIXELS, LARGEST_SIDE + 1, GRID_PIXELS))
DATA_URL = (
    f"{any_case('data:image/')}({'|'.join(map(any_case, ('png', 'jpeg', 'jpg', 'webp', 'gif')))})"
    rf"(;[A-Za-z0-9_.=-]{{1,40}}){{0,3}};{any_case('base64')},[A-Za-z0-9+/= \t\r\n]+"
)
DATA_URL_PATTERN = re.compile(DATA_URL)
SOURCE_PATTERN = f"^({id_pattern(IdKind.IMAGE)}$|{any_case('http')}[sS]?://|{DATA_URL}$)"
"""Pattern for the JSON schema of what `check_image_source` accepts, as far as a pattern can express it."""
GIVEN_KINDS = (IdKind.IMAGE, IdKind.CANDIDATE, IdKind.JOB)
"""Kinds of ids that name the given picture of a job."""
GIVEN_PATTERN = (
    f"^(({'|'.join(id_pattern(kind) for kind in GIVEN_KINDS)})$|{any_case('http')}[sS]?://|{DATA_URL}$)"
)
"""As SOURCE_PATTERN, for `check_given_image`."""
LONGEST_PROMPT = 8000
LARGEST_URL = 2048
LARGEST_IMAGE_SOURCE = 64 * 1024 * 1024
"""Maximum characters of a picture in base64; the gateway also limits the whole body."""
METADATA_KEYS = 32
TIME_START = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d")
TIMES = TypeAdapter[datetime](AwareDatetime)
STORABLE = "^[^\\u0000]*$"
"""Pattern of a text that PostgreSQL can store, for JSON schemas."""


@dataclass(frozen=True, slots=True)
class ImageSize(PixelSize):
    """Size of a requested picture in pixels."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read WIDTHxHEIGHT. Raises ValueError for another format, or sides that the API does not allow."""
        size = cls.read(text)
        if size is None:
            raise ValueError("a size is written WIDTHxHEIGHT, for example 768x768")
        for side in (size.width, size.height):
            if side % GRID_PIXELS or not GRID_PIXELS <= side <= LARGEST_SIDE:
                raise ValueError(
                    f"each side must be a multiple of {GRID_PIXELS} from {GRID_PIXELS} to {LARGEST_SIDE}"
                )
        return size


def check_size(text: str) -> str:
    """Return a valid size unchanged. Raises ValueError."""
    return str(ImageSize.parse(text))


def scheme_of(source: str) -> Literal["http", "data"] | None:
    """Kind of an image source: an http or https URL, a data URL, or None for anything else.

    Schemes may be written in any case. Source: RFC 3986, section 3.1.
    """
    beginning = source[:8].lower()
    if beginning.startswith(("http://", "https://")):
        return "http"
    return "data" if beginning.startswith("data:") else None


def check_image_source(text: str) -> str:
    """Return an image id, an http or https URL or a data URL unchanged. Raises ValueError for others."""
    scheme = scheme_of(text)
    if scheme == "data":
        if DATA_URL_PATTERN.fullmatch(text[:200]) is None:
            raise ValueError("a data URL must contain a PNG, JPEG, WebP or GIF picture in base64")
    elif scheme == "http":
        if len(text) > LARGEST_URL:
            raise ValueError(f"a URL may have at most {LARGEST_URL} characters")
    else:
        try:
            parse_id(IdKind.IMAGE, text)
        except MalformedIdError as error:
            raise ValueError(f"this is neither an image id nor a URL nor a data URL: {error}") from error
    return text


def check_given_image(text: str) -> str:
    """Return an image source, or the id of a candidate or a job, unchanged. Raises ValueError for others."""
    kind = next((kind for kind in GIVEN_KINDS if text.startswith(f"{kind.value}_")), IdKind.IMAGE)
    if kind is IdKind.IMAGE:
        return check_image_source(text)
    try:
        parse_id(kind, text)
    except MalformedIdError as error:
        raise ValueError(f"this is no {kind.name.lower()} id: {error}") from error
    return text


def check_not_blank(text: str) -> str:
    """Return a text unchanged. Raises ValueError if it has only white space."""
    if not text.strip():
        raise ValueError("must not be blank")
    return text


def whole(value: Any) -> Any:
    """Turn a float without a fraction into an integer, as JSON Schema does; other values stay unchanged."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def read_time(value: Any) -> Any:
    """The time that a text means. A number is refused, which pydantic would read as seconds since 1970."""
    if isinstance(value, str) and TIME_START.match(value):
        with suppress(ValidationError):
            return TIMES.validate_python(value)
    elif isinstance(value, datetime):
        return value
    raise PydanticCustomError(
        "time_invalid",
        "Input should be a time in RFC 3339 format with its UTC offset, such as 2026-03-01T12:00:00Z",
    )


def check_storable(text: str) -> str:
    """Return a text unchanged. Raises ValueError if it contains U+0000, which PostgreSQL cannot store."""
    if "\0" in text:
        raise ValueError("the character U+0000 is not allowed")
    return text


def check_temperature(value: float) -> float:
    """Return a temperature unchanged. Raises ValueError if it is too small to divide by, but not 0."""
    if 0 < value < SMALLEST_TEMPERATURE:
        raise ValueError(f"must be 0 or at least {SMALLEST_TEMPERATURE}")
    return value


Size = Annotated[
    str,
    Field(max_length=9, json_schema_extra={"pattern": f"^({SIDES})x({SIDES})$"}),
    AfterValidator(check_size),
]
"""A size as WIDTHxHEIGHT in pixels."""

AspectRatio = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,3}:[1-9][0-9]{0,3}$")]
"""Width to height, for example 3:2."""

ImageSource = Annotated[
    str,
    Field(max_length=LARGEST_IMAGE_SOURCE, json_schema_extra={"pattern": SOURCE_PATTERN}),
    AfterValidator(check_image_source),
]
"""A picture in a request: `img_...`, https://... or data:image/png;base64,..."""

GivenImage = Annotated[
    str,
    Field(max_length=LARGEST_IMAGE_SOURCE, json_schema_extra={"pattern": GIVEN_PATTERN}),
    AfterValidator(check_given_image),
]
"""The given picture of a job: an image source, `cnd_...`, or `job_...` for the first picture of a job."""

Text = Annotated[str, AfterValidator(check_storable), Field(json_schema_extra={"pattern": STORABLE})]
"""A text that PostgreSQL can store."""
Prompt = Annotated[
    Text,
    Field(max_length=LONGEST_PROMPT, json_schema_extra={"pattern": "^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$"}),
    AfterValidator(check_not_blank),
]
Temperature = Annotated[
    float,
    Field(
        ge=0.0,
        le=4.0,
        json_schema_extra={"anyOf": [{"const": 0}, {"minimum": SMALLEST_TEMPERATURE}]},
    ),
    AfterValidator(check_temperature),
]
"""0, which always takes the likeliest code, or from 0.000001 to 4."""

MetadataKey = Annotated[Text, Field(min_length=1, max_length=64)]
MetadataValue = Annotated[Text, Field(max_length=512)]
Metadata = Annotated[
    dict[MetadataKey, MetadataValue],
    Field(max_length=METADATA_KEYS),
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": METADATA_KEYS,
            "propertyNames": {"minLength": 1, "maxLength": 64, "pattern": STORABLE},
            "additionalProperties": {"type": "string", "maxLength": 512, "pattern": STORABLE},
        }
    ),
]
"""Labels that the client gives to a job."""

Time = Annotated[AwareDatetime, BeforeValidator(read_time)]
"""A time in RFC 3339 format, with its UTC offset."""

Numerics = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
"""Short name of a numerics identity: 16 hexadecimal digits."""

WholeNumber = Annotated[int, BeforeValidator(whole)]
"""An integer, or a float without a fraction, which JSON does not distinguish; no other type is accepted."""

Seed = Annotated[int, Field(ge=0, lt=SEED_LIMIT), BeforeValidator(whole)]
