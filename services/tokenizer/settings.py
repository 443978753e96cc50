"""The tokenizer service's settings, read from environment variables."""

from typing import Self

from pydantic import Field, FilePath, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.settings import NoiseSettings, ProcessSettings, TokenizerSecret


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
    secret: TokenizerSecret = None
    """Secret that requests must carry, at least 16 characters. Several are separated by commas: each is
    accepted. Without one, everybody who reaches the port can encode and decode."""
    tls_certificate: FilePath | None = None
    """File with the service's certificate and its key: it then speaks HTTPS alone."""
    tls_client_ca: FilePath | None = None
    """File with the authority of clients' certificates: connections without one are refused (mutual TLS)."""

    @model_validator(mode="after")
    def _clients_certificates_need_a_certificate(self) -> Self:
        if self.tls_client_ca and not self.tls_certificate:
            raise ValueError("TOKENIZER_TLS_CLIENT_CA needs TOKENIZER_TLS_CERTIFICATE")
        return self


class TokenizerProcessSettings(ProcessSettings):
    """All settings of a tokenizer service process."""

    tokenizer: TokenizerServiceSettings
    noise: NoiseSettings = Field(default_factory=NoiseSettings)
