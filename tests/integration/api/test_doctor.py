"""`luminary doctor --bundle`: useful facts, and nothing secret, even where secrets were planted."""

import json
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from infra.local.kept_key import keep_key
from infra.local.ports import PortReservations
from infra.local.state import load_state
from infra.support.commands import doctor
from services.api.settings import GatewayProcessSettings
from shared.database import Database
from tests.support.gateway.clients import Project
from tests.support.gateway.sessions import draw
from tests.support.killed_scripts import io_environment

PROMPT = 'a "secret" garden behind Lindenstrasse 7'
NEGATIVE = "no Käthe Kollwitz"
HIDDEN = {
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
    "GATEWAY_FUTURE_PASSWORD": "correct horse battery",
    "BROKER_URL": "amqp://guest:r%40bbit-hole@broker/",
}
KEY, HOOK = (
    "lum_" + "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefg",
    "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
)
TOKEN = ".".join(("eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxIn0", "c2lnbmF0dXJl"))
PEM = "PRIVATE KEY-----"
LINES = f"""
connecting to postgresql://luminary:hunter2hunter2@db:5432/luminary
Authorization: Bearer {KEY}
webhook secret {HOOK} sent
{{"message": "planted", "prompt": "an unknown prompt of a \\"client\\"", "error": "r@bbit-hole"}}
password=swordfish token {TOKEN}
AGE-SECRET-KEY-1QQPQQ and AKIAIOSFODNN7EXAMPLE, https://bucket/key?X-Amz-Signature=0123abcd
-----BEGIN OPENSSH {PEM}
b3BlbnNzaC1rZXktdjEAAAAABG5vbmU
-----END OPENSSH {PEM}
data:image/png;base64,iVBORw0KGgoAAAANSUhEUg
"""
PLANTED = (
    *("hunter2", "lum_AbCd", "whsec_MfKQ", "unknown prompt", "r@bbit", "r%40bbit", "swordfish", "eyJhbGci"),
    *("AGE-SECRET-KEY-1", "AKIAIOSF", "0123abcd", "b3BlbnNz", "iVBORw0", "wJalrXU", "battery"),
    *("Lindenstrasse", "Kollwitz"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with passwords, a key, and a log full of secrets and prompts."""
    folder = tmp_path / "data"
    (folder / "logs").mkdir(parents=True)
    with PortReservations() as ports:
        state = load_state(folder, ports)
    keep_key(folder, "lum_kept-key-of-the-folder")
    own = f"{state.secrets.valkey_password} and {state.secrets.s3_secret_access_key}"
    quoted = json.dumps({"detail": f"could not draw {PROMPT} without {NEGATIVE}"})
    log = f"{LINES}\n{own}\n{PROMPT} / {NEGATIVE}\n{quoted}\nthe worker has started\n"
    (folder / "logs" / "worker.log").write_text(log)
    return folder


def test_a_bundle_has_facts_and_no_secret_prompt_or_key(
    alice: Project, database: Database, gateway_settings: GatewayProcessSettings, folder: Path, tmp_path: Path
) -> None:
    assert alice.submit(prompt=PROMPT, negative_prompt=NEGATIVE).status_code == 202
    draw(database)
    hook = {"url": "https://hooks.example/in?key=topsecret", "event_types": ["job.*"]}
    made = alice.post("/v1/webhook_endpoints", json=hook).json()
    environment = io_environment(database, gateway_settings.storage) | HIDDEN
    file = tmp_path / "bundle.zip"
    done = CliRunner().invoke(doctor, ["--data", str(folder), "--bundle", str(file)], env=environment)
    assert done.exit_code == 0, done.output
    with zipfile.ZipFile(file) as bundle:
        texts = {name: bundle.read(name).decode() for name in bundle.namelist()}
    whole = "\n".join(texts.values())
    stored = json.loads((folder / "stack.json").read_text())["secrets"].values()
    secrets = [environment["S3_SECRET_ACCESS_KEY"], environment["DATABASE_URL"], alice.token, made["secret"]]
    found = [value for value in (*PLANTED, *stored, *secrets, "kept-key", "topsecret") if value in whole]
    assert found == []
    assert "the worker has started" in texts["logs/worker.log"]
    [jobs] = json.loads(texts["database.json"])["jobs"]
    assert (jobs["state"], jobs["count"]) == ("succeeded", 1)
    assert json.loads(texts["settings.json"])["S3_SECRET_ACCESS_KEY"] == "(set)"
    assert json.loads(texts["settings.json"])["S3_BUCKET"] == environment["S3_BUCKET"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_server_that_does_not_answer_is_a_finding_and_the_bundle_is_made(
    database: Database, gateway_settings: GatewayProcessSettings, folder: Path, tmp_path: Path
) -> None:
    environment = io_environment(database, gateway_settings.storage)
    environment["DATABASE_URL"] = "postgresql://luminary:hunter2@127.0.0.1:1/luminary"
    file = tmp_path / "bundle.zip"
    done = CliRunner().invoke(doctor, ["--data", str(folder), "--bundle", str(file)], env=environment)
    assert done.exit_code == 1
    assert "PROBLEM  database" in done.output
    with zipfile.ZipFile(file) as bundle:
        assert "does not answer" in bundle.read("findings.json").decode()
