"""Request bodies of /sdapi/v1. Fields that mean nothing for this kind of model are ignored, as A1111 does.

Fields that would change the picture in a way that the platform cannot are refused instead of ignored.
"""

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from shared.ids import IdKind, id_pattern
from shared.jobs import MOST_CANDIDATES
from shared.pictures.mask_modes import MaskMode
from shared.schemas.faults import fault
from shared.schemas.fields import (
    DATA_URL,
    LARGEST_IMAGE_SOURCE,
    Prompt,
    Temperature,
    Text,
    any_case,
    check_given_image,
    scheme_of,
    whole,
)
from shared.seeds import SEED_LIMIT

Side = Annotated[int, Field(ge=1, le=9999), BeforeValidator(whole)]
Count = Annotated[int, Field(ge=1, le=MOST_CANDIDATES), BeforeValidator(whole)]
BASE64 = "[A-Za-z0-9+/=\\s]+"
BASE64_PATTERN = re.compile(BASE64)
KINDS = (IdKind.IMAGE, IdKind.CANDIDATE)
IDS = "|".join(id_pattern(kind) for kind in KINDS)
BEGINNING = 200


def check_picture(text: str) -> str:
    """Return bare base64, a data URL, an http(s) URL or the id of a picture unchanged. Raises ValueError."""
    if scheme_of(text) is not None or text.startswith(tuple(f"{kind.value}_" for kind in KINDS)):
        return check_given_image(text)
    if BASE64_PATTERN.fullmatch(text[:BEGINNING]) is None:
        raise ValueError("a picture is base64, a data URL, an http(s) URL or the id of a picture")
    return text


Picture = Annotated[
    str,
    Field(
        max_length=LARGEST_IMAGE_SOURCE,
        json_schema_extra={"pattern": f"^(({IDS})$|{any_case('http')}[sS]?://|{DATA_URL}$|{BASE64}$)"},
    ),
    AfterValidator(check_picture),
]
"""A picture in base64, as a data URL, at an http(s) URL, or the id of one of the project's pictures."""
NOT_AVAILABLE = {
    "enable_hr": "the platform has no upscaler",
    "restore_faces": "the platform has no model that restores faces",
    "tiling": "the model draws no tiles",
    "script_name": "the platform runs no scripts",
    "alwayson_scripts": "the platform runs no scripts",
}
"""Fields that would change the picture, with the reason why they cannot."""


class OverrideSettings(BaseModel):
    """Settings for one request; only the model counts."""

    sd_model_checkpoint: Annotated[Text, Field(max_length=200)] | None = None


class TextToImage(BaseModel):
    """Draw a picture from a text. Fields that are not listed are ignored."""

    model_config = ConfigDict(
        use_attribute_docstrings=True,
        json_schema_extra={"examples": [{"prompt": "a lighthouse in a storm", "width": 768, "height": 768}]},
    )

    prompt: Prompt
    negative_prompt: Annotated[Text, Field(max_length=8000)] | None = None
    """What the picture should not show; needs a `cfg_scale` above 1."""
    seed: Annotated[int, Field(ge=-1, lt=SEED_LIMIT), BeforeValidator(whole)] = -1
    """The same seed gives the same pictures; -1 chooses one. All pictures of a request have one seed."""
    width: Side | None = None
    height: Side | None = None
    """The picture has the model's size that is nearest to `width` and `height`. Default: the model's own."""
    batch_size: Count = 1
    n_iter: Count = 1
    """`batch_size` times `n_iter` pictures are drawn."""
    cfg_scale: Annotated[float, Field(ge=0.0, le=30.0)] | None = None
    """Strength of guidance; 1 and less is no guidance. Default: the model's recommended value."""
    top_k: Annotated[int, Field(ge=1, le=65_536), BeforeValidator(whole)] | None = None
    temperature: Temperature | None = None
    override_settings: OverrideSettings | None = None
    send_images: bool = True
    enable_hr: bool | None = None
    """Refused if true: the platform has no upscaler."""
    restore_faces: bool | None = None
    """Refused if true."""
    tiling: bool | None = None
    """Refused if true."""
    script_name: Annotated[Text, Field(max_length=200)] | None = None
    """Refused unless empty: the platform runs no scripts."""
    alwayson_scripts: dict[str, Any] | None = None
    """Refused unless empty."""

    @model_validator(mode="after")
    def _nothing_is_asked_for_that_is_not_there(self) -> Self:
        for name, reason in NOT_AVAILABLE.items():
            if getattr(self, name):
                raise fault("not_available", f"{name}: {reason}; leave it out", name)
        if self.batch_size * self.n_iter > MOST_CANDIDATES:
            words = f"batch_size: batch_size times n_iter may be at most {MOST_CANDIDATES}"
            raise fault("too_many_pictures", words, "batch_size")
        if self.negative_prompt and self.negative_prompt.strip() and not self.is_guided:
            raise fault("needs_guidance", "negative_prompt needs a cfg_scale above 1", "negative_prompt")
        if (self.width is None) != (self.height is None):
            raise fault("half_a_size", "width: send both width and height, or none of them", "width")
        return self

    @property
    def is_guided(self) -> bool:
        """Whether the request leaves guidance on."""
        return self.cfg_scale is None or self.cfg_scale > 1

    @property
    def model(self) -> str | None:
        """Name of the model that the request demands."""
        return (self.override_settings and self.override_settings.sd_model_checkpoint) or None


class ImageToImage(TextToImage):
    """Change a picture as the prompt says. `denoising_strength` is ignored: an edit follows the prompt."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"prompt": "make it winter", "init_images": ["iVBORw0KGgo="]}]}
    )

    init_images: Annotated[list[Picture], Field(min_length=1, max_length=1)]
    """The picture to change."""
    mask: Picture | None = None
    """Only the white part of this picture may change."""
    inpainting_mask_invert: Annotated[int, Field(ge=0, le=1), BeforeValidator(whole)] = 0
    """With 1, only the dark part of the mask may change."""

    @property
    def mask_mode(self) -> MaskMode | None:
        """Reading of the mask; None without one."""
        if self.mask is None:
            return None
        return MaskMode.BLACK_EDITS if self.inpainting_mask_invert else MaskMode.WHITE_EDITS


class Options(BaseModel):
    """Settings of the web UI; only the model counts."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"sd_model_checkpoint": "tiny"}]})

    sd_model_checkpoint: Annotated[Text, Field(max_length=200)] | None = None
