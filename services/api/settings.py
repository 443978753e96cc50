"""The gateway's settings, read from environment variables."""

from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode, SettingsConfigDict

from shared.settings import (
    CLOUD_NETWORKS,
    BrokerSettings,
    DatabaseSettings,
    JobSettings,
    Networks,
    Ports,
    ProcessSettings,
    ProvenanceSettings,
    PublicAddress,
    RetentionSettings,
    StorageSettings,
    TokenizerAddress,
    WebhookSettings,
    listed,
)

Origin = Annotated[str, Field(pattern=r"^(\*|https?://[A-Za-z0-9.\[\]:-]+)$")]
CorsOrigins = Annotated[list[Origin], NoDecode, BeforeValidator(listed)]


class GatewaySettings(PublicAddress):
    """Settings of the HTTP gateway."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", use_attribute_docstrings=True)

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 means all IPv4 addresses of the machine."""
    port: int = Field(default=8000, ge=1, le=65_535)
    """Port to listen on."""
    max_body_bytes: int = Field(default=32 * 1024 * 1024, ge=1024)
    """Maximum size of a request body, and of a picture fetched from a URL, in bytes."""
    max_import_bytes: int = Field(default=1024**3, ge=1024, lt=2**32)
    """Maximum bytes of an exported session to import, as sent and expanded; it is kept in a temporary file
    (`TMPDIR`). All imports together get twice as much, one project this much."""
    import_seconds: float = Field(default=3600.0, gt=0)
    """Maximum seconds for a client to send a session to import."""
    max_queued_jobs: int = Field(default=1000, ge=1)
    """Maximum number of waiting jobs of one project, unless the project has its own limit."""
    decoders: int = Field(default=2, ge=1)
    """Number of processes that decode clients' pictures; one project can occupy all but one of them."""
    decode_seconds: float = Field(default=10.0, gt=0)
    """CPU seconds for decoding one picture; a picture that takes longer is refused."""
    max_connections: int = Field(default=1024, ge=8)
    """Maximum number of open connections; above it, the connection idle for the longest time is closed."""
    max_bodies_bytes: int = Field(default=48 * 1024 * 1024, ge=1024)
    """Memory for request bodies in bytes, half of it per project; further bodies wait 10 s, then get 503."""
    header_seconds: float = Field(default=10.0, gt=0)
    """Maximum seconds for a client to send the headers of a request."""
    body_idle_seconds: float = Field(default=10.0, gt=0)
    """Maximum seconds that a client may pause while it sends a body or reads a response."""
    body_seconds: float = Field(default=120.0, gt=0)
    """Maximum seconds for a client to send a whole body."""
    fetch_ports: Ports = Field(default=[80, 443])
    """Ports from which pictures may be fetched, separated by commas."""
    fetch_refused: Networks = CLOUD_NETWORKS
    """Networks from which no picture is fetched, in addition to non-public ones, separated by commas."""

    require_row_security: bool = False
    """Refuse to work with a database whose policies of row-level security are missing; by default the gateway
    logs a warning. See "Row-level security" in docs/operations.md."""
    max_streams: int = Field(default=500, ge=1)
    """Maximum number of open event streams; further ones get 503. Each takes one of the connections."""
    max_streams_per_project: int = Field(default=100, ge=1)
    """Maximum number of open event streams of one project; further ones get 429."""
    cors_origins: CorsOrigins = Field(default=[])
    """Origins whose pages may call the API from a browser, such as https://studio.example, separated by
    commas; * allows all. By default none: browsers keep answers from pages of other origins."""
    stream_seconds: float = Field(default=3600.0, gt=0)
    """Seconds after which an event stream ends; the client opens it again, and its key is checked again."""
    openai_aliases: Annotated[list[str], NoDecode, BeforeValidator(listed)] = Field(
        default=["gpt-image-*", "dall-e-*", "chatgpt-image-latest"]
    )
    """Names of models below /openai/v1 that stand for any model, or as gpt-image-*=tiny for one, separated by
    commas; * in a name is any text. The first that fits counts."""
    openai_wait_seconds: float = Field(default=3600.0, gt=0)
    """Maximum seconds that a request below /openai/v1 or /sdapi/v1 waits for its picture; the job
    goes on afterwards."""
    public_checks: bool = False
    """Lets everybody check without a key whether this installation drew a picture."""
    checks_per_minute: int = Field(default=30, ge=1)
    """Maximum number of checked pictures in a minute of one project, or of one address without a key, and of
    one gateway process."""
    max_waits_per_project: int = Field(default=100, ge=0)
    """Maximum number of requests of one project that wait for a job (`Prefer: wait`); further ones are
    answered at once."""
    max_requests_per_project: int = Field(default=400, ge=1)
    """Maximum number of requests of one project at the same time, with its event streams; further ones get
    429."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    """Maximum number of requests a minute of projects that have no limit of their own; by default any."""
    trusted_proxies: Networks = Field(default=[])
    """Networks of proxies in front of the gateway, separated by commas: from their connections, the client's
    address is taken from `X-Forwarded-For`. It decides where keys with `allowed_networks` may be used."""
    mcp_wait_seconds: float = Field(default=45.0, ge=0, le=600)
    """Seconds that a tool at /mcp waits for its pictures, unless the call says how long; the job goes on
    afterwards. Many agents give a call up after a minute."""
    replica_url: SecretStr | None = None
    """URL of a streaming replica of the database, from which lists, session trees and exports are read. A
    replica that is behind, or does not answer, is passed over."""


class GatewayProcessSettings(ProcessSettings):
    """All settings of a gateway process."""

    database: DatabaseSettings
    broker: BrokerSettings
    storage: StorageSettings
    jobs: JobSettings
    gateway: GatewaySettings
    webhooks: WebhookSettings = Field(default_factory=WebhookSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    tokenizer: TokenizerAddress = Field(default_factory=TokenizerAddress)
    provenance: ProvenanceSettings = Field(default_factory=ProvenanceSettings)
