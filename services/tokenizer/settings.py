"""What the tokenizer service reads from the environment, beside what others know of it."""

from pydantic import Field

from shared.settings import TokenizerSettings


class TokenizerServiceSettings(TokenizerSettings):
    """TOKENIZER_* variables. `model` is a folder, or a `.ckpt` file in the public layout."""

    device: str = "auto"
    """cpu, cuda, cuda:1 ...; auto takes the first GPU, if there is one."""
    max_upload_bytes: int = Field(default=32 * 1024 * 1024, ge=1024)
    """Larger request bodies are refused while they are read."""
    max_pixels: int = Field(default=64_000_000, ge=1024)
    """Pictures that claim more are refused before they are decoded."""
    max_batch: int = Field(default=8, ge=1)
    """Equal shapes that run together."""
    batch_seconds: float = Field(default=0.004, ge=0)
    """How long a request waits for others of its shape while the model is idle."""
    max_waiting: int = Field(default=64, ge=1)
    """Requests in the service at a time; one more is told to come back."""
    picture_threads: int = Field(default=2, ge=1)
    """Pictures that are decoded, cropped or compressed at a time: bounds memory."""
