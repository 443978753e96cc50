"""The tokenizer service's settings, read from environment variables."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.settings import ProcessSettings


class TokenizerServiceSettings(BaseSettings):
    """Settings of the tokenizer service."""

    model_config = SettingsConfigDict(env_prefix="TOKENIZER_", use_attribute_docstrings=True)

    model: str = "models/tiny/movqgan"
    """Folder with the MoVQGAN weights and their configuration, or a `.ckpt` file in the published layout."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 means all IPv4 addresses of the machine."""
    port: int = Field(default=8001, ge=1, le=65_535)
    """Port to listen on."""
    device: str = "auto"
    """Device of the model: cpu, cuda, cuda:1 ...; auto means the first GPU, or the CPU if there is none."""
    max_upload_bytes: int = Field(default=32 * 1024 * 1024, ge=1024)
    """Maximum size of a request body in bytes."""
    max_pixels: int = Field(default=64_000_000, ge=1024)
    """Maximum number of pixels of a picture; larger ones are refused before they are decoded."""
    max_batch: int = Field(default=8, ge=1)
    """Maximum number of pictures of the same shape in one batch."""
    batch_seconds: float = Field(default=0.004, ge=0)
    """Seconds that a request waits for others of its shape while the model is idle."""
    max_waiting: int = Field(default=64, ge=1)
    """Maximum number of pictures that wait or are computed, for encoding and decoding each; then 503."""
    picture_threads: int = Field(default=2, ge=1)
    """Number of threads that write PNG files."""
    decoders: int = Field(default=2, ge=1)
    """Number of processes that decode and crop pictures."""
    decode_seconds: float = Field(default=10.0, gt=0)
    """CPU seconds for decoding one picture; a picture that takes longer is refused."""


class TokenizerProcessSettings(ProcessSettings):
    """All settings of a tokenizer service process."""

    tokenizer: TokenizerServiceSettings
