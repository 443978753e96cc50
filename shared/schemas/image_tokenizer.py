"""The description of the image tokenizer that the tokenizer service sends to workers."""

from pydantic import BaseModel, ConfigDict


class ImageTokenizerModel(BaseModel):
    """The image tokenizer of a tokenizer service."""

    model_config = ConfigDict(frozen=True, strict=True)

    tokenizer: str
    """Fingerprint of the codebook."""
    codes: int
    """Number of codes in the codebook."""
    cell: int
    """Side of a cell in pixels."""
    numerics: str
    """Everything that decides the bits of codes and pixels."""
    decode_seconds_per_code: float = 0.0
    """Measured when the service started, for estimates only; 0 if an older service does not report it."""
