"""What the GPU worker reads from the environment, beside what the whole platform knows."""

from pydantic import Field

from shared.settings import Settings, WorkerSettings


class GpuWorkerSettings(WorkerSettings):
    """WORKER_* variables."""

    device: str = "auto"
    """cpu, cuda, cuda:1 ...; auto takes the first GPU, if there is one."""
    quantization: str = "none"
    """none, int8 or nf4."""
    kv_cache_tokens: int = Field(default=65_536, ge=512)
    """Tokens of KV cache for all pictures together; a guided one needs twice its length."""
    max_sequences: int = Field(default=16, ge=1)
    """Pictures drawn at the same time: candidates of all slots together."""
    patience_seconds: float = Field(default=600.0, ge=0)
    """How long an attempt waits for a tokenizer, storage or database that does not answer."""
    tokenizer_timeout_seconds: float = Field(default=120.0, gt=0)
    """How long one answer of the tokenizer service may take."""
    own_doorbell_seconds: float = Field(default=30.0, gt=0)
    """How often a worker rings at itself through the broker; deaf to three in a row, it drains and ends."""


def redis_url(settings: Settings) -> str:
    """Where progress goes. Raises ValueError when neither REDIS_URL nor a Redis broker is there."""
    if settings.broker.redis_url is None:
        raise ValueError("REDIS_URL is needed: the broker does not speak the Redis protocol")
    return settings.broker.redis_url.get_secret_value()
