"""Settings that several services share, and the loading of a process's settings from the environment.

The `settings.py` of each service lists what it reads, so an invalid variable stops only the processes that
read it. Variables have the names that hosting platforms use (DATABASE_URL, S3_ENDPOINT_URL); all others have
a prefix for the part they belong to.
"""

import os
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    FilePath,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.errors import LuminaryError
from shared.noise_keys import NoiseSecret


class SettingsError(LuminaryError):
    """Environment variables are invalid or missing; the message has a line for each of them."""

    code = "settings_invalid"
    hint = "Correct the variables that the message names."


FILE_SUFFIX = "_FILE"
"""`DATABASE_URL_FILE` names a file with the value of `DATABASE_URL`, as containers get secrets."""
BROKER_SCHEMES = ("redis", "rediss", "amqp", "amqps")
"""Schemes of supported brokers. Celery would retry others without end and without a log line."""
REDIS_SCHEMES = ("redis", "rediss")


def with_scheme(url: SecretStr, schemes: tuple[str, ...]) -> SecretStr:
    """Return the URL if it has one of the schemes. Raises ValueError otherwise."""
    scheme, found, _ = url.get_secret_value().partition("://")
    if not found or scheme.lower() not in schemes:
        shown = f"{scheme[:20]}:// is not supported" if found else "this is not a URL"
        raise ValueError(f"{shown}; use {', '.join(f'{name}://' for name in schemes)}")
    return url


CLOUD_NETWORKS = [
    ip_network(network)
    for network in (
        "168.63.129.16/32",  # Azure's host service: a public address by its number
        "169.254.169.254/32",  # metadata: AWS, Azure, Google, Oracle and others
        "169.254.170.2/32",  # credentials of AWS containers
        "100.100.100.200/32",  # metadata: Alibaba
        "192.0.0.192/32",  # metadata: Oracle
        "fd00:ec2::254/128",  # metadata: AWS over IPv6
        "fd20:ce::254/128",  # metadata: Google over IPv6
    )
]
"""Addresses of cloud metadata services, which give out credentials of the machine."""


def listed(text: Any) -> Any:
    """Split a text at its commas; any other value is returned unchanged."""
    return [part.strip() for part in text.split(",") if part.strip()] if isinstance(text, str) else text


Networks = Annotated[list[IPvAnyNetwork], NoDecode, BeforeValidator(listed)]
Ports = Annotated[list[Annotated[int, Field(ge=1, le=65_535)]], NoDecode, BeforeValidator(listed)]


class LogSettings(BaseSettings):
    """Settings of logging, for every process."""

    model_config = SettingsConfigDict(env_prefix="LOG_", use_attribute_docstrings=True)

    format: Literal["auto", "json", "plain"] = "auto"
    """Format of log lines: json, plain, or auto, which is plain on a terminal and json elsewhere."""


class DatabaseSettings(BaseSettings):
    """Settings of the database, PostgreSQL 18 or newer."""

    model_config = SettingsConfigDict(env_prefix="DATABASE_", use_attribute_docstrings=True)

    url: SecretStr
    """URL of the database: postgresql://user:password@host:port/database."""
    pool_size: int = Field(default=10, ge=1)
    """Maximum number of connections of one process."""
    statement_timeout_seconds: float = Field(default=15.0, gt=0)
    """Seconds after which the server ends a statement."""
    idle_in_transaction_timeout_seconds: float = Field(default=30.0, gt=0)
    """Seconds after which the server ends an idle transaction, which would slow down all claims."""
    prepared_statements: bool = True
    """Prepares repeated statements on the server. Set false behind a pooler in transaction mode that does not
    keep them, such as PgBouncer before 1.21."""


class BrokerSettings(BaseSettings):
    """Settings of the broker and of the Redis-protocol server. Jobs run even while neither answers."""

    model_config = SettingsConfigDict(use_attribute_docstrings=True)

    broker_url: SecretStr
    """URL of Celery's broker: redis://, rediss://, amqp:// or amqps://."""
    more_broker_urls: SecretStr | None = None
    """URLs of further brokers whose workers the gateway wakes, such as those of another region, separated by
    commas. Their workers find jobs without this, too, but only by polling."""
    redis_url: SecretStr | None = None
    """URL of the server for progress events: redis:// or rediss://. Default: BROKER_URL, if it is one."""

    @field_validator("broker_url")
    @classmethod
    def _speak_a_protocol_that_doorbells_need(cls, url: SecretStr) -> SecretStr:
        return with_scheme(url, BROKER_SCHEMES)

    @field_validator("more_broker_urls")
    @classmethod
    def _speak_it_everywhere(cls, urls: SecretStr | None) -> SecretStr | None:
        for url in secret_list(urls):
            with_scheme(SecretStr(url), BROKER_SCHEMES)
        return urls

    @field_validator("redis_url")
    @classmethod
    def _speak_redis(cls, url: SecretStr | None) -> SecretStr | None:
        return None if url is None else with_scheme(url, REDIS_SCHEMES)

    @model_validator(mode="after")
    def _use_the_broker_as_redis(self) -> "BrokerSettings":
        if self.redis_url is None and self.broker_url.get_secret_value().startswith(
            ("redis://", "rediss://")
        ):
            self.redis_url = self.broker_url
        return self


class StorageSettings(BaseSettings):
    """Settings of the S3 bucket for pictures."""

    model_config = SettingsConfigDict(env_prefix="S3_", use_attribute_docstrings=True)

    bucket: str
    """Name of the bucket, which must exist."""
    endpoint_url: str | None = None
    """URL of the S3 server; Amazon S3 if not set."""
    region: str = "us-east-1"
    """Region of the bucket; servers other than Amazon's accept the default."""
    access_key_id: SecretStr | None = None
    """Access key id. If it or the secret is not set, the machine's role or AWS_* variables are used."""
    secret_access_key: SecretStr | None = None
    """Secret access key."""
    prefix: str = ""
    """Prefix of every object key, so that several installations can share a bucket."""
    read_copies: SecretStr | None = None
    """Buckets with copies of the pictures, like https://KEY:SECRET@HOST/BUCKET?region=REGION, separated by
    commas; key and region may be left out. Read while S3_BUCKET lacks a picture or does not answer."""

    @field_validator("read_copies")
    @classmethod
    def _name_buckets(cls, copies: SecretStr | None) -> SecretStr | None:
        for number, copy in enumerate(secret_list(copies), 1):
            parts = urlsplit(copy)
            if parts.scheme not in {"http", "https"} or not parts.hostname or "/" in parts.path.strip("/"):
                raise ValueError(f"number {number} is not like https://HOST/BUCKET")
            if not parts.path.strip("/"):
                raise ValueError(f"number {number} names no bucket: https://HOST/BUCKET")
        return copies

    def copies(self) -> list["StorageSettings"]:
        """The settings of each bucket with copies; what its URL does not say is as for the bucket itself."""
        return [self.model_copy(update=place_of(copy)) for copy in secret_list(self.read_copies)]


def place_of(url: str) -> dict[str, Any]:
    """The fields of StorageSettings that the URL of a bucket says."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    place: dict[str, Any] = {
        "endpoint_url": f"{parts.scheme}://{host}",
        "bucket": parts.path.strip("/"),
        "read_copies": None,
    }
    if parts.username and parts.password:
        place["access_key_id"] = SecretStr(unquote(parts.username))
        place["secret_access_key"] = SecretStr(unquote(parts.password))
    regions = parse_qs(parts.query).get("region")
    return place | ({"region": regions[0]} if regions else {})


class JobSettings(BaseSettings):
    """Settings of leases and retries of jobs; they must be the same for gateway, worker and io worker."""

    model_config = SettingsConfigDict(env_prefix="JOB_", use_attribute_docstrings=True)

    lease_seconds: float = Field(default=30.0, gt=0)
    """Seconds without a heartbeat after which a worker loses its jobs to other workers."""
    heartbeat_seconds: float = Field(default=5.0, gt=0)
    """Seconds between two heartbeats of a worker; at most a third of JOB_LEASE_SECONDS."""
    poll_seconds: float = Field(default=1.5, gt=0)
    """Seconds between two polls of the database by an idle slot that no doorbell wakes."""
    checkpoint_seconds: float = Field(default=2.0, gt=0)
    """Seconds between two checkpoints of a job: the most work that is repeated after the loss of a worker."""
    max_failures: int = Field(default=3, ge=1)
    """Number of failed attempts after which a job fails; interruptions are not counted."""
    max_interruptions: int = Field(default=50, ge=1)
    """Number of lost workers after which a job fails, because it probably crashes them."""

    model_wait_seconds: float = Field(default=600.0, gt=0)
    """Seconds that a job waits for a worker with its model or numerics identity, while only others run."""

    @model_validator(mode="after")
    def _several_heartbeats_fit_into_a_lease(self) -> "JobSettings":
        if self.lease_seconds < 3 * self.heartbeat_seconds:
            raise ValueError("JOB_LEASE_SECONDS must be at least three times JOB_HEARTBEAT_SECONDS")
        return self


FOR_EVER = -1
"""Value of a retention: what it is about is never removed."""
LONGEST_RETENTION = 100 * 366 * 86_400
"""Longest retention in seconds, a hundred years: with more, PostgreSQL could not compute dates."""
RetentionSeconds = Annotated[int, Field(ge=FOR_EVER, le=LONGEST_RETENTION)]


class RetentionSettings(BaseSettings):
    """Settings of what is removed after a while, for projects that have no retention of their own.

    They must be the same for gateway and io worker.
    """

    model_config = SettingsConfigDict(env_prefix="RETENTION_", use_attribute_docstrings=True)

    uploads_seconds: RetentionSeconds = FOR_EVER
    """Seconds after which uploaded pictures expire; -1 means never, here and below."""
    results_seconds: RetentionSeconds = FOR_EVER
    """Seconds after which drawn pictures expire. Their tokens are kept."""
    previews_seconds: RetentionSeconds = FOR_EVER
    """Seconds after which thumbnails are deleted; the next request makes them again."""
    events_seconds: RetentionSeconds = FOR_EVER
    """Seconds after the end of a job at which its events and their webhook log are deleted."""
    checkpoints_seconds: RetentionSeconds = 0
    """Seconds after the end of a job at which its saved codes are deleted; a succeeded job has none."""
    orphans_seconds: RetentionSeconds = 86_400
    """Age in seconds at which objects without a row are deleted, and rows without an object expire."""
    pause_seconds: float = Field(default=60.0, gt=0)
    """Seconds between two rounds in which an io worker removes what has expired."""


class PublicAddress(BaseSettings):
    """Public address of the gateway, for every service that shows links."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", use_attribute_docstrings=True)

    public_url: str = "http://127.0.0.1:8000"
    """URL at which clients reach the gateway; links in responses and webhooks start with it."""


class WebhookSettings(BaseSettings):
    """Settings of webhooks; the networks and ports must be the same for gateway and io worker."""

    model_config = SettingsConfigDict(env_prefix="WEBHOOK_", use_attribute_docstrings=True)

    allowed_networks: Networks = []
    """Networks that webhooks may reach on every port although they are not public, separated by commas."""
    ports: Ports = [80, 443]
    """Ports of public hosts that webhooks may reach, separated by commas."""
    refused: Networks = CLOUD_NETWORKS
    """Networks that webhooks do not reach, in addition to non-public ones, separated by commas."""
    timeout_seconds: float = Field(default=10.0, gt=0, le=60)
    """Maximum seconds for one try: resolving, connecting, sending, and receiving the whole answer."""
    retry_seconds: Annotated[
        list[Annotated[float, Field(ge=0, le=7 * 86_400)]], NoDecode, BeforeValidator(listed)
    ] = Field(default=[5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400], max_length=50)
    """Seconds between a failed try and the next, separated by commas; after the last one no try follows."""
    disable_after_seconds: float = Field(default=432_000, gt=0)
    """Seconds in which all tries to an endpoint failed, after which it is disabled; five days by default."""
    poll_seconds: float = Field(default=0.25, gt=0)
    """Seconds between two polls of the database for messages that are due."""
    max_in_flight: int = Field(default=64, ge=2)
    """Maximum number of requests at the same time of one io worker; half of them for one project."""
    max_in_flight_per_receiver: int = Field(default=4, ge=1)
    """Maximum number of requests at the same time of one io worker to one receiver."""
    max_per_second: float = Field(default=50.0, gt=0)
    """Maximum number of tries in a second of one io worker to one receiver."""


SHORTEST_SECRET = 16
"""Characters of the shortest accepted secret."""


def secret_list(text: SecretStr | None) -> list[str]:
    """The secrets in a setting, which are separated by commas."""
    return listed(text.get_secret_value()) if text is not None else []


def long_enough(text: SecretStr | None) -> SecretStr | None:
    """Return the setting if each of its secrets can hardly be guessed. Raises ValueError otherwise."""
    if text is not None and any(len(secret) < SHORTEST_SECRET for secret in secret_list(text) or [""]):
        raise ValueError(f"a secret has at least {SHORTEST_SECRET} characters")
    return text


TokenizerSecret = Annotated[SecretStr | None, AfterValidator(long_enough)]


class TokenizerAddress(BaseSettings):
    """Address of the tokenizer service, for gateway, GPU workers and io workers."""

    model_config = SettingsConfigDict(env_prefix="TOKENIZER_", use_attribute_docstrings=True)

    url: str = "http://127.0.0.1:8001"
    """URL of the tokenizer service, or of the load balancer in front of its replicas."""
    secret: TokenizerSecret = None
    """Secret that the tokenizer service requires. Of several, separated by commas, workers send the first."""
    ca_certificate: FilePath | None = None
    """File with the authority of the service's certificate, for https://; the system's by default."""
    client_certificate: FilePath | None = None
    """File with the certificate and key that workers show to the service (mutual TLS)."""


class NoiseSettings(BaseSettings):
    """Settings of the sampling noise; they must be the same for GPU workers and the tokenizer service."""

    model_config = SettingsConfigDict(env_prefix="NOISE_", use_attribute_docstrings=True)

    secret: Annotated[SecretStr | None, AfterValidator(long_enough)] = None
    """Secret of at least 16 characters that all noise follows from. Pictures then carry a watermark that only
    the secret shows, and seeds mean other pictures than on installations without it. Keep it for ever."""

    def parsed(self) -> NoiseSecret | None:
        """The secret as engine and detector use it."""
        return None if self.secret is None else NoiseSecret.from_text(self.secret.get_secret_value())


class ProvenanceSettings(BaseSettings):
    """Settings of what is kept and written to recognise drawn pictures, for gateway and GPU workers."""

    model_config = SettingsConfigDict(env_prefix="PROVENANCE_", use_attribute_docstrings=True)

    fingerprints: bool = True
    """Whether drawn pictures are added to the registry, unless their project opts out."""
    content_credentials: bool = True
    """Whether the gateway signs drawn pictures, if it has a certificate, unless their project opts out."""
    certificate: FilePath | None = None
    """PEM file with the certificates for content credentials, the signer's first (ECDSA P-256)."""
    private_key: FilePath | None = None
    """PEM file with the signer's private key (PKCS #8)."""
    tsa_url: str | None = None
    """URL of a time-stamp authority (RFC 3161), which is asked whenever a picture is signed."""


class ProcessSettings(BaseModel):
    """All settings of one process; each service adds a field for each further settings class."""

    log: LogSettings = Field(default_factory=LogSettings)

    @classmethod
    def parts(cls) -> dict[str, type[BaseSettings]]:
        """The settings class of each field, by the field's name."""
        return {
            name: field.annotation
            for name, field in cls.model_fields.items()
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseSettings)
        }


Process = TypeVar("Process", bound=ProcessSettings)
Part = TypeVar("Part", bound=BaseSettings)


def load_settings(process: type[Process]) -> Process:
    """Read a process's settings from the environment. Raises SettingsError that lists invalid variables."""
    loaded: dict[str, BaseSettings] = {}
    faults: list[str] = []
    for name, part in process.parts().items():
        try:
            loaded[name] = load_part(part)
        except SettingsError as error:
            faults.append(str(error))
    if faults:
        raise SettingsError("\n".join(faults))
    try:
        return process.model_validate(loaded)
    except ValidationError as error:
        raise SettingsError("\n".join(variable_faults("", error))) from error


def load_part(part: type[Part]) -> Part:
    """Read one settings class from the environment, and from files that `_FILE` variables name.

    Raises SettingsError that lists invalid variables.
    """
    prefix = part.model_config.get("env_prefix", "")
    variables = {name: f"{prefix}{name}".upper() for name in part.model_fields}
    try:
        return part(**values_from_files(variables, os.environ))
    except ValidationError as error:
        raise SettingsError("\n".join(variable_faults(prefix, error))) from error


def values_from_files(variables: Mapping[str, str], given: Mapping[str, str]) -> dict[str, Any]:
    """Read the fields whose variable has a `_FILE` twin; a newline at the file's end is left out.

    variables: the environment variable of each field. given: the environment. Raises SettingsError.
    """
    values: dict[str, Any] = {}
    for field, variable in variables.items():
        twin = variable + FILE_SUFFIX
        if not (file := given.get(twin)):
            continue
        if given.get(variable):
            raise SettingsError(f"{twin}: {variable} is set as well; remove one of them")
        try:
            values[field] = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise SettingsError(f"{twin}: {file} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise SettingsError(f"{twin}: {file} is not UTF-8") from error
        if not values[field]:
            raise SettingsError(f"{twin}: {file} is empty")
    return values


def secret_variables(part: type[BaseSettings]) -> dict[str, str]:
    """The environment variable of each secret setting, by the setting's name."""
    prefix = part.model_config.get("env_prefix") or ""
    return {
        name: f"{prefix}{name}".upper()
        for name, field in part.model_fields.items()
        if field.annotation is SecretStr or SecretStr in get_args(field.annotation)
    }


def variable_faults(prefix: str, error: ValidationError) -> list[str]:
    """`GATEWAY_PORT: Input should be ...` for each invalid variable, without values: they may be secret."""
    lines: list[str] = []
    for fault in error.errors(include_url=False, include_input=False):
        message = fault["msg"].removeprefix("Value error, ")
        variable = f"{prefix}{fault['loc'][0]}".upper() if fault["loc"] else ""
        lines.append(f"{variable}: {message}" if variable else message)
    return lines
