"""No log contains a secret or a prompt, even after errors of every server."""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2
import psycopg
import pytest
from sqlalchemy import update
from sqlalchemy.engine import make_url

from shared.security import hash_api_key
from shared.tables import JobRequestRow
from shared.tables import Project as ProjectRow
from tests.support.gateway.running import make_key
from tests.support.platforms.installation import Installation
from tests.support.platforms.platform import PlatformUnderTest, eventually

PROMPT = "a circle of planted-prompt"
PASSWORD = "planted-webhook-password"
SIGNATURE = "planted0signature"
HOOK = f"https://nowhere.invalid/planted-webhook-path?password={PASSWORD}&token=planted-webhook-token"
PRESIGNED = f"https://nowhere.invalid/a.png?X-Amz-Signature={SIGNATURE}&X-Amz-Credential={SIGNATURE}"

REFUSE_ENDPOINTS = """
CREATE FUNCTION refuse_endpoint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE unique_violation USING
        MESSAGE = 'duplicate key value violates unique constraint "uq_planted"',
        DETAIL = format('Key (url, secret)=(%s, %s) already exists.', NEW.url, NEW.secret);
END $$;
CREATE TRIGGER refuse_endpoint BEFORE INSERT ON webhook_endpoints
    FOR EACH ROW EXECUTE FUNCTION refuse_endpoint()
"""


@contextmanager
def refused_endpoints(installation: Installation) -> Iterator[None]:
    """Make every insert of a webhook endpoint fail with an error that quotes the row, as PostgreSQL's do."""
    url = installation.owner_url
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(REFUSE_ENDPOINTS)
        yield
        connection.execute("DROP FUNCTION refuse_endpoint() CASCADE")


@pytest.fixture
def client(installation: Installation, platform: PlatformUnderTest) -> Iterator[httpx2.Client]:
    """A client of the gateway with the project's key."""
    token = make_key(platform.database, platform.project_id)
    authorization = {"Authorization": f"Bearer {token}"}
    # the gateway closes the connection after an internal error
    limits = httpx2.Limits(max_keepalive_connections=0)
    with httpx2.Client(
        base_url=installation.gateway_url, headers=authorization, timeout=60, limits=limits
    ) as client:
        yield client


def secrets_of(
    installation: Installation, platform: PlatformUnderTest, client: httpx2.Client
) -> Mapping[str, str]:
    """Secrets that no log may contain, by kind."""
    token = client.headers["authorization"].removeprefix("Bearer ")
    with platform.database.transaction() as session:
        secret = session.get_one(ProjectRow, platform.project_id).webhook_secret
    storage_secret = platform.settings.storage.secret_access_key
    services_url = platform.settings.database.url.get_secret_value()
    password, owner = (make_url(url).password for url in (services_url, installation.owner_url))
    assert storage_secret is not None
    assert password is not None
    assert owner is not None
    return {
        "prompt": "planted-prompt",
        "key": token,
        "hash of the key": hash_api_key(token).hex(),
        "password of the webhook": PASSWORD,
        "path of the webhook": "planted-webhook-path",
        "token of the webhook": "planted-webhook-token",
        "secret of the webhook": base64.b64encode(secret).decode(),
        "secret of the webhook in hexadecimal": secret.hex(),
        "signature of a fetched URL": SIGNATURE,
        "secret of the storage": storage_secret.get_secret_value(),
        "password of the database": password,
        "password of the database's owner": owner,
    }


def all_logs(installation: Installation) -> Mapping[str, str]:
    """The text of all logs of services and servers, by file name."""
    files: set[Path] = set()
    for member in installation.services.values():
        files |= set(member.process.log_file.parent.glob("*.log*"))
    files |= set(installation.server("postgres").process.log_file.parent.glob("*.log*"))
    return {file.name: file.read_text(errors="replace") for file in files}


def test_no_log_holds_a_secret_or_a_prompt_after_errors_of_every_server(
    installation: Installation, platform: PlatformUnderTest, client: httpx2.Client
) -> None:
    """Found: the gateway's log contained a webhook's URL with its password, the start of its secret, part of
    a key's hash, and fetched URLs with their signatures.

    Right: none of the planted secrets is in any log.
    """
    job = {"prompt": PROMPT, "size": "64x64", "seed": 1}
    hooked = {**job, "webhook": {"url": HOOK, "events": ["job.failed"]}}

    with refused_endpoints(installation):
        refused = client.post("/v1/jobs", json=hooked)
    assert refused.status_code == 500, "the unique violation did not reach the gateway"
    assert client.post("/v1/jobs", json={**job, "task": "edit", "image": PRESIGNED}).status_code == 422
    assert client.post("/v1/jobs", json={**job, "prompt": PROMPT * 5000}).status_code == 422

    broken = platform.ask(prompt=PROMPT, start_by=None)
    with platform.database.transaction() as session:
        session.execute(
            update(JobRequestRow)
            .where(JobRequestRow.job_id == broken)
            .values(request={"prompt": PROMPT, "planted-prompt": PROMPT})
        )
    platform.finished(broken)

    storage = installation.server("seaweedfs")
    storage.kill()
    assert client.post("/v1/images", files={"file": ("a.png", b"no picture")}).status_code in {422, 503}
    stored = client.post("/v1/jobs", json=job)
    storage.process.start()

    installation.server("postgres").kill()
    assert client.post("/v1/jobs", json=hooked).status_code == 503
    installation.return_postgres()
    eventually(lambda: client.get("/v1/jobs").status_code == 200, "the gateway's return")
    eventually(
        lambda: client.get(f"/v1/jobs/{stored.json()['id']}").json()["status"] == "succeeded", "the picture"
    )

    sent = client.post("/v1/jobs", json={**job, "webhook": {"url": HOOK, "events": ["job.queued"]}})
    assert sent.status_code == 202
    eventually(lambda: "a webhook was not delivered" in installation.io_worker.log(), "the failed webhook")

    logs = all_logs(installation)
    assert "uq_planted" in logs["gateway.log"], "the unique violation was not logged"
    assert "attempt failed" in logs["worker.log"], "the broken request was not logged"
    assert {"postgres.log", "valkey.log", "seaweedfs.log", "tokenizer.log", "io-worker.log"} <= set(logs)
    found = [
        f"{kind} in {name}"
        for kind, secret in secrets_of(installation, platform, client).items()
        for name, log in logs.items()
        if secret in log
    ]
    assert not found
