"""The production overlay, run as processes: from an empty database to pictures, and an upgrade during jobs.

Commands, variables, probes and grace periods are those of the manifests; the module `local_pods` says what is
replaced. The servers are the embedded ones.
"""

import hashlib
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx2
import pytest

from infra.local.installation import another_api_key
from infra.local.ports import free_ports
from infra.local.stack import EmbeddedStack
from infra.model_cache import MANIFEST, source_of
from migrations.roles import SCALER
from tests.support.kubernetes.local_pods import LocalPods, Pod
from tests.support.kubernetes.manifests import rendered
from tests.support.platforms.platform import eventually
from tests.support.source_tree import ROOT

GATEWAY, TOKENIZER, IO_WORKER, WORKER = (
    f"luminary-{name}" for name in ("gateway", "tokenizer", "io-worker", "worker-generate")
)
SEEDS = range(5)
LONG = {"size": "192x192", "allow_untrained_size": True, "n": 1}
"""A job of some seconds, so that the upgrade meets all of them in the middle."""


@dataclass(frozen=True)
class Client:
    """A client with a key, which finds whatever gateway is in service."""

    key: str

    def call(self, gateway: Pod, method: str, path: str, **more: Any) -> dict[str, Any]:
        answer = httpx2.request(
            method, gateway.url + path, headers={"Authorization": f"Bearer {self.key}"}, timeout=30, **more
        )
        assert answer.is_success, answer.text
        return answer.json()

    def submit(self, gateway: Pod, seed: int) -> str:
        request = {"prompt": "a red star and a blue ball", "seed": seed, **LONG}
        return self.call(gateway, "POST", "/v1/jobs", json=request)["id"]

    def ended(self, gateway: Pod, job: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            body = self.call(gateway, "GET", f"/v1/jobs/{job}")
            return body if body["status"] not in {"queued", "running"} else None

        return eventually(look, f"the end of {job}", 300)


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[LocalPods]:
    """The production overlay on new servers, with models/tiny in the bucket as its model."""
    with EmbeddedStack(tmp_path / "stack", environment={}, durable=False) as stack:
        assert stack.postgres is not None
        place = stack.postgres.superuser_url().rpartition("@")[2].partition("/")[0]

        def address(role: str) -> str:
            return f"postgresql://{role}:secret-of-{role}@{place}/cluster"

        storage = {name: stack.environment[name] for name in ("S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY")}
        port = free_ports(1)[0]
        pods = LocalPods(
            list(rendered("overlays/production")),
            tmp_path,
            variables={
                "S3_BUCKET": stack.environment["S3_BUCKET"],
                "TOKENIZER_URL": f"http://127.0.0.1:{port}",
                "MODEL_SOURCE": f"s3://{stack.environment['S3_BUCKET']}/models/tiny",
                "MODEL_SHA256": "",
                "TOKENIZER_MODEL": "/models/lumina-tokenizer/movqgan",
                "WORKER_DEVICE": "cpu",
                "WORKER_SLOTS": "2",
            },
            secrets={
                "luminary-services": {
                    "DATABASE_URL": address("luminary_services"),
                    "BROKER_URL": stack.environment["BROKER_URL"],
                    "REDIS_URL": stack.environment["REDIS_URL"],
                    "S3_ENDPOINT_URL": stack.environment["S3_ENDPOINT_URL"],
                },
                "luminary-storage": {**storage, "S3_ENDPOINT_URL": stack.environment["S3_ENDPOINT_URL"]},
                "luminary-tokenizer": {"TOKENIZER_SECRET": token_hex(16)},
                "luminary-owner": {"DATABASE_URL": address("luminary_owner")},
                "roles": {
                    "DATABASE_ADMIN_URL": stack.postgres.superuser_url(),
                    "DATABASE_OWNER_URL": address("luminary_owner"),
                    "DATABASE_URL": address("luminary_services"),
                    "DATABASE_SCALER_URL": address(SCALER),
                },
            },
            models=tmp_path / "models",
        )
        try:
            yield pods
        finally:
            pods.stop()


def upload_model(pods: LocalPods, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put models/tiny into the bucket with its list of hashes, as docs/kubernetes.md says."""
    for name, value in pods.secrets["luminary-storage"].items():
        monkeypatch.setenv(name, value)
    source, model = source_of(pods.variables["MODEL_SOURCE"]), ROOT / "models" / "tiny"
    files = [file for file in model.rglob("*") if file.is_file()]
    sums = "".join(
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  ./{file.relative_to(model)}\n" for file in files
    )
    for file in files:
        source.client.upload_file(str(file), source.bucket, source.key(str(file.relative_to(model))))
    source.client.put_object(Bucket=source.bucket, Key=source.key(MANIFEST), Body=sums.encode())


@pytest.mark.timeout(1200)
def test_one_apply_draws_pictures_and_an_upgrade_loses_no_job(
    pods: LocalPods, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shutil.which("kubectl")
    upload_model(pods, monkeypatch)
    roles = {"name": "roles", "command": ["python", "-m", "migrations.roles"]}
    pods.run({**roles, "envFrom": [{"secretRef": {"name": "roles"}}]})
    with ThreadPoolExecutor(5) as nodes:  # everything starts at once, as after one `apply`
        waiting = {name: nodes.submit(pods.prepare, name) for name in (GATEWAY, IO_WORKER, TOKENIZER, WORKER)}
        nodes.submit(pods.run_job, "luminary-migrations").result()
        assert "0 of them" not in waiting[WORKER].result()[0]
        assert (pods.models / "lumina-tokenizer" / "movqgan").is_dir()
        assert not (pods.models / "lumina-tokenizer" / "config.json").exists()
        for name in (GATEWAY, IO_WORKER, TOKENIZER):
            waiting[name].result()

    tokenizer_port = int(pods.variables["TOKENIZER_URL"].rpartition(":")[2])
    gateway = pods.start(GATEWAY)
    others = [pods.start(TOKENIZER, tokenizer_port), pods.start(IO_WORKER)]
    workers = [pods.start(WORKER) for _ in range(2)]
    for pod in (gateway, *others, *workers):
        pod.wait_until_ready()
    client = Client(another_api_key(pods.secrets["luminary-services"]["DATABASE_URL"], "default", "first"))

    jobs = {seed: client.submit(gateway, seed) for seed in SEEDS}
    client_sees = eventually(
        lambda: client.call(gateway, "GET", f"/v1/jobs/{jobs[0]}")["progress"]["tokens_done"],
        "the first codes",
    )
    assert client_sees
    drains: list[float] = []
    for old in workers:  # maxSurge 0: the old one goes first
        drains.append(old.terminate())
        pods.start(WORKER).wait_until_ready()
    successor = pods.start(GATEWAY)  # maxUnavailable 0: the new one comes first
    successor.wait_until_ready()
    leaving = gateway.terminate()
    others[1].terminate()
    pods.start(IO_WORKER).wait_until_ready()

    ended = {seed: client.ended(successor, job) for seed, job in jobs.items()}
    assert [body["status"] for body in ended.values()] == ["succeeded"] * len(SEEDS)
    assert any(body["attempt"] > 1 for body in ended.values()), "no job was met in its middle"
    calm = {seed: client.ended(successor, client.submit(successor, seed)) for seed in SEEDS}
    assert all(codes_of(ended[seed]) == codes_of(calm[seed]) for seed in SEEDS)
    attempts = [body["attempt"] for body in ended.values()]
    print(
        f"drains of workers: {[round(each, 1) for each in drains]} s; gateway: {leaving:.1f} s; {attempts=}"
    )


def codes_of(job: dict[str, Any]) -> list[str]:
    """The hashes of a job's codes."""
    hashes = [output["tokens_sha256"] for output in job["outputs"]]
    assert len(hashes) == LONG["n"]
    return hashes
