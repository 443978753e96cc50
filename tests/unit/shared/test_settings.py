"""Each process reads its settings from environment variables."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from infra.local.secret_files import with_secrets
from infra.local.settings_table import SECTIONS
from services.api.settings import GatewayProcessSettings
from services.tokenizer.settings import TokenizerProcessSettings
from services.worker.settings import GpuWorkerProcessSettings, WorkerProcessSettings
from shared.database import engine_options, sqlalchemy_url
from shared.misspelt_variables import misspelt_variables
from shared.settings import (
    FILE_SUFFIX,
    ProcessSettings,
    SettingsError,
    StorageSettings,
    load_settings,
    secret_variables,
)

REQUIRED = {
    "DATABASE_URL": "postgresql://luminary:secret@db:5432/luminary",
    "BROKER_URL": "redis://valkey:6379/0",
    "S3_BUCKET": "pictures",
}
PROCESSES = (
    GatewayProcessSettings,
    GpuWorkerProcessSettings,
    WorkerProcessSettings,
    TokenizerProcessSettings,
)
MALFORMED = {
    "LOG_FORMAT": ("xml", PROCESSES),
    "GATEWAY_PORT": ("x", (GatewayProcessSettings,)),
    "WORKER_SLOTS": ("0", (GpuWorkerProcessSettings,)),
    "TOKENIZER_MAX_BATCH": ("x", (TokenizerProcessSettings,)),
    "TOKENIZER_PORT": ("x", (TokenizerProcessSettings,)),
    "DATABASE_POOL_SIZE": ("0", (GatewayProcessSettings, GpuWorkerProcessSettings, WorkerProcessSettings)),
    "BROKER_URL": ("sqs://", (GatewayProcessSettings, GpuWorkerProcessSettings, WorkerProcessSettings)),
    "JOB_MAX_FAILURES": ("0", (GatewayProcessSettings, GpuWorkerProcessSettings, WorkerProcessSettings)),
}
"""Variables with a malformed value, and the processes that read them."""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variables that every process needs."""
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)


def test_three_variables_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOB_MAX_FAILURES", "7")
    settings = load_settings(GatewayProcessSettings)
    assert settings.storage.bucket == "pictures"
    assert settings.broker.redis_url == settings.broker.broker_url
    assert (settings.jobs.max_failures, settings.gateway.port) == (7, 8000)


def test_the_tokenizer_service_needs_no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in REQUIRED:
        monkeypatch.delenv(name)
    assert load_settings(TokenizerProcessSettings).tokenizer.port == 8001


@pytest.mark.parametrize("variable", MALFORMED)
@pytest.mark.parametrize("process", PROCESSES)
def test_a_malformed_variable_stops_the_processes_that_read_it_and_no_other(
    monkeypatch: pytest.MonkeyPatch, process: type[ProcessSettings], variable: str
) -> None:
    """Fixed bug: a malformed WORKER_SLOTS stopped the gateway as well."""
    value, readers = MALFORMED[variable]
    monkeypatch.setenv(variable, value)
    if process not in readers:
        load_settings(process)
        return
    with pytest.raises(SettingsError, match=f"^{variable}: [^\n]+$"):
        load_settings(process)


def test_a_worker_without_a_place_for_progress_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_URL", "amqp://rabbit")
    assert load_settings(GatewayProcessSettings).broker.redis_url is None
    with pytest.raises(SettingsError, match=r"^REDIS_URL is required, [^\n]+$"):
        load_settings(WorkerProcessSettings)


@pytest.mark.parametrize("name", ["DATABASE_URL", "BROKER_URL", "S3_BUCKET"])
def test_a_missing_variable_is_a_refusal_to_start(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(SettingsError, match=f"^{name}: Field required$"):
        load_settings(GatewayProcessSettings)


def test_all_faults_are_told_together_and_no_value_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("S3_BUCKET")
    monkeypatch.setenv("GATEWAY_PORT", "secret")
    monkeypatch.setenv("JOB_LEASE_SECONDS", "1")
    with pytest.raises(SettingsError) as refused:
        load_settings(GatewayProcessSettings)
    lines = str(refused.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "S3_BUCKET",
        "JOB_LEASE_SECONDS must be at least three times JOB_HEARTBEAT_SECONDS",
        "GATEWAY_PORT",
    ]
    assert "secret" not in str(refused.value)


def test_a_setting_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("redis://:from-a-file@valkey:6379/0\n")
    monkeypatch.delenv("BROKER_URL")
    monkeypatch.setenv("BROKER_URL_FILE", str(tmp_path / "url"))
    broker = load_settings(GatewayProcessSettings).broker.broker_url
    assert broker.get_secret_value() == "redis://:from-a-file@valkey:6379/0"
    assert misspelt_variables({"BROKER_URL_FILE": "url"}, SECTIONS.values()) == []


def test_a_setting_in_two_places_or_in_no_readable_file_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BROKER_URL_FILE", str(tmp_path / "gone"))
    with pytest.raises(
        SettingsError, match=r"^BROKER_URL_FILE: BROKER_URL is set as well; remove one of them$"
    ):
        load_settings(GatewayProcessSettings)
    monkeypatch.delenv("BROKER_URL")
    with pytest.raises(SettingsError, match=r"^BROKER_URL_FILE: [^\n]+ cannot be read: No such file"):
        load_settings(GatewayProcessSettings)


SECRETS = (
    "DATABASE_URL",
    "BROKER_URL",
    "REDIS_URL",
    "S3_ACCESS_KEY_ID",
    "S3_SECRET_ACCESS_KEY",
    "GATEWAY_REPLICA_URL",
    "MORE_BROKER_URLS",
)


@pytest.mark.parametrize("variable", SECRETS)
def test_every_secret_can_be_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    url = "redis://:from-a-file@valkey/0"
    (tmp_path / "secret").write_text(f"{url}\n")
    monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(f"{variable}_FILE", str(tmp_path / "secret"))
    settings = load_settings(GatewayProcessSettings)
    found = {
        secret.get_secret_value()
        for part in (settings.database, settings.broker, settings.storage, settings.gateway)
        for _, secret in part
        if isinstance(secret, SecretStr)
    }
    assert url in found


def test_the_secrets_in_files_are_all_there_are() -> None:
    """A new secret setting gets its `_FILE` by its type."""
    found = {variable for part in SECTIONS.values() for variable in secret_variables(part).values()}
    assert found == {*SECRETS, "TOKENIZER_SECRET", "S3_READ_COPIES", "NOISE_SECRET"}
    files = dict.fromkeys([f"{variable}{FILE_SUFFIX}" for variable in found], "x")
    assert misspelt_variables(files, SECTIONS.values()) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file or directory"), ("", "is empty"), (b"\xff\xfe", "is not UTF-8")],
)
def test_a_faulty_file_of_a_secret_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | bytes | None, reason: str
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("DATABASE_URL_FILE", str(file))
    with pytest.raises(SettingsError, match=rf"^DATABASE_URL_FILE: .*{reason}$"):
        load_settings(GatewayProcessSettings)


def test_a_secret_is_given_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("postgresql://another@db/luminary")
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "secret"))
    with pytest.raises(SettingsError, match=r"^DATABASE_URL_FILE: DATABASE_URL is set as well"):
        load_settings(GatewayProcessSettings)
    with pytest.raises(SettingsError, match="DATABASE_URL is set as well"):
        with_secrets(os.environ)
    monkeypatch.delenv("DATABASE_URL")
    assert with_secrets(os.environ)["DATABASE_URL"] == "postgresql://another@db/luminary"
    assert "DATABASE_URL_FILE" not in with_secrets(os.environ)


def test_a_short_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENIZER_SECRET", "a-long-enough-secret,short")
    with pytest.raises(SettingsError, match=r"^TOKENIZER_SECRET: a secret has at least 16 characters$"):
        load_settings(TokenizerProcessSettings)


def test_passwords_are_not_shown() -> None:
    assert "secret@db" not in repr(load_settings(GatewayProcessSettings))


def test_the_server_ends_slow_statements_and_forgotten_transactions() -> None:
    settings = load_settings(GatewayProcessSettings).database
    options = engine_options(settings)["connect_args"]["options"]
    assert sqlalchemy_url(settings).drivername == "postgresql+psycopg"
    assert "statement_timeout=15000" in options
    assert "idle_in_transaction_session_timeout=30000" in options


@pytest.mark.parametrize("url", ["sqs://key:secret@", "memory://", "valkey", "http://broker"])
def test_a_broker_that_doorbells_cannot_use_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Fixed bug: with BROKER_URL=sqs:// the worker retried without end; now it refuses to start."""
    monkeypatch.setenv("BROKER_URL", url)
    with pytest.raises(
        SettingsError, match=r"^BROKER_URL: .*redis://, rediss://, amqp://, amqps://$"
    ) as refused:
        load_settings(GatewayProcessSettings)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["redis://v:6379/0", "rediss://v", "amqp://u:p@r", "amqps://r", "REDIS://v"])
def test_brokers_that_speak_redis_or_amqp_are_taken(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("BROKER_URL", url)
    assert load_settings(GatewayProcessSettings).broker.broker_url.get_secret_value() == url


def test_lists_are_written_with_commas_and_their_faults_name_the_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fixed bug: the message contained Pydantic's path instead of the variable."""
    monkeypatch.setenv("GATEWAY_FETCH_PORTS", "80, 443,8443")
    monkeypatch.setenv("GATEWAY_FETCH_REFUSED", "203.0.113.0/24")
    settings = load_settings(GatewayProcessSettings).gateway
    assert settings.fetch_ports == [80, 443, 8443]
    assert [str(network) for network in settings.fetch_refused] == ["203.0.113.0/24"]
    monkeypatch.setenv("GATEWAY_FETCH_PORTS", "80,http")
    with pytest.raises(SettingsError, match=r"^GATEWAY_FETCH_PORTS: Input should be a valid integer"):
        load_settings(GatewayProcessSettings)


def test_the_table_of_settings_has_every_part_of_every_process() -> None:
    parts = {part for process in PROCESSES for part in process.parts().values()}
    assert parts == set(SECTIONS.values()), "add the part to SECTIONS in infra/local/settings_table.py"


@pytest.mark.parametrize(
    ("variable", "sentence"),
    [
        ("GATEWAY_PROT", "GATEWAY_PROT is not a setting; did you mean GATEWAY_PORT?"),
        ("GATEWAY_COLOUR", "GATEWAY_COLOUR is not a setting; docs/operations.md lists all settings."),
        ("S3_BUKET", "S3_BUKET is not a setting; did you mean S3_BUCKET?"),
        ("JOB_LEASE_SECOND", "JOB_LEASE_SECOND is not a setting; did you mean JOB_LEASE_SECONDS?"),
        ("BROKER_URI", "BROKER_URI is not a setting; did you mean BROKER_URL?"),
    ],
)
def test_a_misspelt_variable_is_told_with_the_nearest_right_one(variable: str, sentence: str) -> None:
    """Fixed bug: misspelt variables were ignored silently."""
    assert misspelt_variables({variable: "1", "GATEWAY_PORT": "1"}, SECTIONS.values()) == [sentence]


def test_variables_of_others_are_left_alone() -> None:
    of_others = ["GATEWAY_SERVICE_HOST", "GATEWAY_PORT_8000_TCP", "JOB_NAME", "LOG_DIR", "S3_HOME", "PATH"]
    assert misspelt_variables(dict.fromkeys(of_others, ""), SECTIONS.values()) == []


@pytest.mark.parametrize(
    ("copies", "message"),
    [
        ("https://host/bucket,ftp://host/bucket", "number 2 is not like https://HOST/BUCKET"),
        ("https://host/", "number 1 names no bucket"),
        ("https://host/bucket/folder", "number 1 is not like"),
    ],
)
def test_a_bucket_of_copies_needs_a_host_and_a_name(copies: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message) as fault:
        StorageSettings(bucket="pictures", read_copies=SecretStr(copies))
    assert copies not in str(fault.value)


def test_the_url_of_a_copy_says_what_differs_from_the_bucket() -> None:
    own = {"bucket": "pictures", "access_key_id": SecretStr("own"), "prefix": "a/"}
    text = SecretStr("https://key:s%2Fcret@host:9000/elsewhere?region=eu,http://host2/third")
    first, second = StorageSettings(**own, read_copies=text).copies()
    assert (first.endpoint_url, first.bucket, first.region, first.prefix) == (
        "https://host:9000",
        "elsewhere",
        "eu",
        "a/",
    )
    assert first.secret_access_key == SecretStr("s/cret")
    assert (second.endpoint_url, second.access_key_id) == ("http://host2", SecretStr("own"))
