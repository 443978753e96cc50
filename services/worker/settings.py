"""Settings of the GPU worker and of the io worker."""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, PlainValidator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.settings import (
    BrokerSettings,
    DatabaseSettings,
    JobSettings,
    NoiseSettings,
    ProcessSettings,
    ProvenanceSettings,
    PublicAddress,
    RetentionSettings,
    StorageSettings,
    TokenizerAddress,
    WebhookSettings,
)

AUTO: Final = "auto"
FEWEST_CACHE_TOKENS: Final = 512


def parse_cache_tokens(value: object) -> int | Literal["auto"]:
    """Parse a number of tokens or "auto". Raises ValueError."""
    if value == AUTO:
        return AUTO
    try:
        tokens = int(str(value))
    except ValueError:
        tokens = 0
    if tokens < FEWEST_CACHE_TOKENS:
        raise ValueError(f'it must be "{AUTO}", or a number of at least {FEWEST_CACHE_TOKENS}')
    return tokens


KVCacheTokens = Annotated[int | Literal["auto"], PlainValidator(parse_cache_tokens)]


class GpuWorkerSettings(BaseSettings):
    """Settings from the variables WORKER_*."""

    model_config = SettingsConfigDict(env_prefix="WORKER_", use_attribute_docstrings=True)

    model: str = "models/tiny"
    """Folder of the decoder checkpoint in the Hugging Face layout."""
    slots: int = Field(default=4, ge=1)
    """Number of jobs that a worker runs at the same time; the engine batches them."""
    dtype: str = "auto"
    """fp32, bf16, fp16 or auto. auto is bf16 for a large model on a CPU or on a GPU with bf16, else fp32."""
    drain_seconds: float = Field(default=10.0, gt=0)
    """Limit of a drain: time to save checkpoints and release jobs. Spot machines give 15 s."""
    device: str = "auto"
    """cpu, cuda, cuda:1 ... or auto. auto is the first GPU, or the CPU if there is none."""
    quantization: str = "none"
    """none, int8 or nf4."""
    kv_cache_tokens: KVCacheTokens = AUTO
    """Tokens of KV cache for all pictures together, or auto. A picture with guidance needs twice its length.
    auto is enough for WORKER_MAX_SEQUENCES pictures of the model's size, if memory allows."""
    max_sequences: int = Field(default=16, ge=1)
    """Limit of pictures that are drawn at the same time: the candidates of all slots together."""
    decode_share: float = Field(default=0.75, ge=0.1, le=0.99)
    """Share of their speed that pictures keep during the prefill of other jobs."""
    code_interval_seconds: float = Field(default=0.5, gt=0)
    """Longest pause between two codes during the prefill of other jobs, if the machine is fast enough."""
    patience_seconds: float = Field(default=600.0, ge=0)
    """How long an attempt waits for a tokenizer service, storage or database that does not answer."""
    tokenizer_timeout_seconds: float = Field(default=120.0, gt=0)
    """How long the tokenizer service may work on 512x512 pixels, without its queue; larger pictures
    have more time in proportion. A job whose codes are drawn does not fail then, but waits in the queue."""
    own_doorbell_seconds: float = Field(default=30.0, gt=0)
    """Interval of test messages that a worker sends to itself through the broker. If three in a row do not
    arrive, it drains and exits."""


class HealthSettings(BaseSettings):
    """Settings of the HTTP server for probes, which GPU workers and io workers have alike."""

    model_config = SettingsConfigDict(env_prefix="WORKER_HEALTH_", use_attribute_docstrings=True)

    host: str = "127.0.0.1"
    """Address to listen on for probes and metrics; 0.0.0.0 means all IPv4 addresses of the machine."""
    port: int | None = Field(default=None, ge=1, le=65_535)
    """Port for `GET /healthz`, `/readyz` and `/metrics`; without it, the worker listens on nothing."""


class WorkerProcessSettings(ProcessSettings):
    """Environment of every Celery process of the worker."""

    database: DatabaseSettings
    broker: BrokerSettings
    storage: StorageSettings
    jobs: JobSettings
    health: HealthSettings = Field(default_factory=HealthSettings)

    @model_validator(mode="after")
    def _has_a_place_for_progress(self) -> Self:
        if self.broker.redis_url is None:
            raise ValueError("REDIS_URL is required, because BROKER_URL is not a Redis address")
        return self

    @property
    def redis_url(self) -> str:
        """Address of the Redis server that progress events are published to."""
        assert self.broker.redis_url is not None  # noqa: S101  (checked by the validator)
        return self.broker.redis_url.get_secret_value()


class IoWorkerProcessSettings(WorkerProcessSettings):
    """Environment of an io worker."""

    webhooks: WebhookSettings
    address: PublicAddress
    tokenizer: TokenizerAddress
    retention: RetentionSettings


class GpuWorkerProcessSettings(WorkerProcessSettings):
    """Environment of a GPU worker."""

    worker: GpuWorkerSettings
    tokenizer: TokenizerAddress
    noise: NoiseSettings = Field(default_factory=NoiseSettings)
    provenance: ProvenanceSettings = Field(default_factory=ProvenanceSettings)
