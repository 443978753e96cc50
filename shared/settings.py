"""Every setting of the platform, read from the environment once at the edge and passed in.

Variables keep the names that hosting platforms use (DATABASE_URL, S3_ENDPOINT_URL); the rest are prefixed
by what they belong to. `load_settings()` fails with a list of everything that is missing or malformed.
"""

from typing import Literal

from pydantic import BaseModel, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(Exception):
    """The environment is not usable; the message has a line for each variable that is at fault."""


class LogSettings(BaseSettings):
    """How every process logs."""

    model_config = SettingsConfigDict(env_prefix="LOG_", use_attribute_docstrings=True)

    format: Literal["auto", "json", "plain"] = "auto"
    """json for machines, plain for people; auto is plain on a terminal."""


class DatabaseSettings(BaseSettings):
    """PostgreSQL 18 or newer."""

    model_config = SettingsConfigDict(env_prefix="DATABASE_", use_attribute_docstrings=True)

    url: SecretStr
    """libpq address: postgresql://user:password@host:port/database."""
    pool_size: int = Field(default=10, ge=1)
    """Connections that one process keeps."""
    statement_timeout_seconds: float = Field(default=15.0, gt=0)
    """A statement that takes longer is ended by the server."""
    idle_in_transaction_timeout_seconds: float = Field(default=30.0, gt=0)
    """An open transaction that does nothing is ended: it would keep dead rows alive and slow every claim."""


class BrokerSettings(BaseSettings):
    """Celery's broker and the Redis-protocol server; both may be dead and jobs still flow."""

    model_config = SettingsConfigDict(use_attribute_docstrings=True)

    broker_url: SecretStr
    """redis://, rediss:// or amqp:// address of Celery's broker."""
    redis_url: SecretStr | None = None
    """Redis-protocol address for progress events; the broker's own when that speaks Redis."""

    @model_validator(mode="after")
    def _use_the_broker_as_redis(self) -> "BrokerSettings":
        if self.redis_url is None and self.broker_url.get_secret_value().startswith(
            ("redis://", "rediss://")
        ):
            self.redis_url = self.broker_url
        return self


class StorageSettings(BaseSettings):
    """An S3 bucket for pictures."""

    model_config = SettingsConfigDict(env_prefix="S3_", use_attribute_docstrings=True)

    bucket: str
    """Name of the bucket; it must exist."""
    endpoint_url: str | None = None
    """Amazon's own when not set."""
    public_endpoint_url: str | None = None
    """The endpoint as clients reach it, written into signed URLs; S3_ENDPOINT_URL when not set."""
    region: str = "us-east-1"
    """Region of the bucket; servers other than Amazon's accept the default."""
    access_key_id: SecretStr | None = None
    """Name of the key; without both halves the machine's own credentials are used (role, AWS_* variables)."""
    secret_access_key: SecretStr | None = None
    """The key's secret half."""
    prefix: str = ""
    """Put before every key: several installations, or tests, share a bucket."""
    url_lifetime_seconds: int = Field(default=3600, ge=1, le=604_800)
    """How long a signed URL works; the protocol's limit is seven days."""


class JobSettings(BaseSettings):
    """How jobs are leased, retried and kept; the same for gateway, worker and io worker."""

    model_config = SettingsConfigDict(env_prefix="JOB_", use_attribute_docstrings=True)

    lease_seconds: float = Field(default=30.0, gt=0)
    """A worker that is silent for so long has lost its jobs."""
    heartbeat_seconds: float = Field(default=5.0, gt=0)
    """How often a worker extends its leases; several must fit into a lease."""
    poll_seconds: float = Field(default=1.5, gt=0)
    """How often an idle slot looks for work when no doorbell rings."""
    checkpoint_seconds: float = Field(default=2.0, gt=0)
    """How much work a lost worker can cost at most."""
    max_failures: int = Field(default=3, ge=1)
    """Failures, not interruptions, after which a job has failed."""
    max_interruptions: int = Field(default=50, ge=1)
    """A job that takes so many workers with it is itself the fault."""

    model_wait_seconds: float = Field(default=600.0, gt=0)
    """How long a new job waits for a worker with its model, while others live that have not."""

    @model_validator(mode="after")
    def _several_heartbeats_fit_into_a_lease(self) -> "JobSettings":
        if self.lease_seconds < 3 * self.heartbeat_seconds:
            raise ValueError("JOB_LEASE_SECONDS must be at least three times JOB_HEARTBEAT_SECONDS")
        return self


class GatewaySettings(BaseSettings):
    """The HTTP gateway."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", use_attribute_docstrings=True)

    public_url: str = "http://127.0.0.1:8000"
    """Where clients reach the gateway; links in answers start with it."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 is every address of the machine."""
    port: int = Field(default=8000, ge=1, le=65_535)
    """Port to listen on."""
    max_body_bytes: int = Field(default=32 * 1024 * 1024, ge=1024)
    """Longer request bodies are refused while they are read; pictures behind URLs, too."""
    max_queued_jobs: int = Field(default=1000, ge=1)
    """Waiting jobs of one project, unless the project has a limit of its own."""


class WorkerSettings(BaseSettings):
    """The GPU worker."""

    model_config = SettingsConfigDict(env_prefix="WORKER_", use_attribute_docstrings=True)

    model: str = "models/tiny"
    """Folder of the decoder checkpoint in the Hugging Face layout."""
    slots: int = Field(default=4, ge=1)
    """Jobs that one worker runs at a time: what the engine batches."""
    dtype: str = "auto"
    """fp32, bf16 or fp16; auto takes bf16 where this machine runs this model faster in it, else fp32."""
    drain_seconds: float = Field(default=10.0, gt=0)
    """How long a stopping worker may take to checkpoint and release; spot machines give 15 s."""


class TokenizerSettings(BaseSettings):
    """The image tokenizer service, and where others find it."""

    model_config = SettingsConfigDict(env_prefix="TOKENIZER_", use_attribute_docstrings=True)

    url: str = "http://127.0.0.1:8001"
    """Where workers reach the tokenizer service, or the load balancer before its replicas."""
    model: str = "models/tiny/movqgan"
    """Folder with the MoVQGAN weights and their configuration."""
    host: str = "127.0.0.1"
    """Address that the tokenizer service listens on."""
    port: int = Field(default=8001, ge=1, le=65_535)
    """Port that the tokenizer service listens on."""


class Settings(BaseModel):
    """All of them; a service passes each part to the code that needs it."""

    database: DatabaseSettings
    broker: BrokerSettings
    storage: StorageSettings
    jobs: JobSettings
    gateway: GatewaySettings
    worker: WorkerSettings
    tokenizer: TokenizerSettings


PARTS: dict[str, type[BaseSettings]] = {
    "database": DatabaseSettings,
    "broker": BrokerSettings,
    "storage": StorageSettings,
    "jobs": JobSettings,
    "gateway": GatewaySettings,
    "worker": WorkerSettings,
    "tokenizer": TokenizerSettings,
}


def load_settings() -> Settings:
    """Read the environment. Raises SettingsError that names each bad variable."""
    parts: dict[str, BaseSettings] = {}
    faults: list[str] = []
    for name, part in PARTS.items():
        try:
            parts[name] = part()
        except ValidationError as error:
            faults += variable_faults(part, error)
    if faults:
        raise SettingsError("\n".join(faults))
    return Settings.model_validate(parts)


def variable_faults(part: type[BaseSettings], error: ValidationError) -> list[str]:
    """`GATEWAY_PORT: Input should be ...` for each fault; values are left out, they may be secret."""
    prefix = part.model_config.get("env_prefix", "")
    told: list[str] = []
    for fault in error.errors(include_url=False, include_input=False):
        place = "_".join(map(str, fault["loc"]))
        message = fault["msg"].removeprefix("Value error, ")
        told.append(f"{prefix}{place}".upper() + f": {message}" if place else message)
    return told
