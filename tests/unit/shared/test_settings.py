"""Settings as a service reads them from its environment."""

import pytest

from shared.database import engine_options, sqlalchemy_url
from shared.settings import SettingsError, load_settings

REQUIRED = {
    "DATABASE_URL": "postgresql://luminary:secret@db:5432/luminary",
    "BROKER_URL": "redis://valkey:6379/0",
    "S3_BUCKET": "pictures",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least that a service needs."""
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)


def test_three_variables_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOB_MAX_FAILURES", "7")
    settings = load_settings()
    assert settings.storage.bucket == "pictures"
    assert settings.broker.redis_url == settings.broker.broker_url
    assert (settings.jobs.max_failures, settings.gateway.port) == (7, 8000)


@pytest.mark.parametrize("name", ["DATABASE_URL", "BROKER_URL", "S3_BUCKET"])
def test_a_missing_variable_is_a_refusal_to_start(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(SettingsError, match=f"^{name}: Field required$"):
        load_settings()


def test_all_faults_are_told_together_and_no_value_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("S3_BUCKET")
    monkeypatch.setenv("GATEWAY_PORT", "secret")
    monkeypatch.setenv("JOB_LEASE_SECONDS", "1")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    lines = str(refused.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "S3_BUCKET",
        "JOB_LEASE_SECONDS must be at least three times JOB_HEARTBEAT_SECONDS",
        "GATEWAY_PORT",
    ]
    assert "secret" not in str(refused.value)


def test_passwords_are_not_shown() -> None:
    assert "secret@db" not in repr(load_settings())


def test_the_server_ends_slow_statements_and_forgotten_transactions() -> None:
    settings = load_settings().database
    options = engine_options(settings)["connect_args"]["options"]
    assert sqlalchemy_url(settings).drivername == "postgresql+psycopg"
    assert "statement_timeout=15000" in options
    assert "idle_in_transaction_session_timeout=30000" in options
