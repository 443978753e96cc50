"""Readiness and `luminary up` report a full disk. The tests mount a small disk, which needs root."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from infra.local.installation import migrate
from infra.local.stack import EmbeddedStack
from services.api.app import create_app
from services.api.process import write_probe
from services.api.settings import GatewayProcessSettings, GatewaySettings
from shared.settings import (
    BrokerSettings,
    DatabaseSettings,
    JobSettings,
    StorageSettings,
)
from tests.support.gateway.clients import NO_BROKER
from tests.support.platforms.platform import eventually
from tests.support.servers.supervised import starting


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a small file system at the folder; skips the test if that is not allowed."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Write a file that fills the disk."""
    file = folder / "filler"
    with file.open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(65_536))
        except OSError:
            pass
        try:
            while True:
                filler.write(bytes(512))
        except OSError:
            return file


pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")


def settings_of(stack: EmbeddedStack) -> GatewayProcessSettings:
    """Settings of a gateway with this database only; the other servers are not needed to be ready."""
    return GatewayProcessSettings(
        database=DatabaseSettings(url=SecretStr(stack.environment["DATABASE_URL"])),
        broker=BrokerSettings(broker_url=SecretStr(NO_BROKER)),
        storage=StorageSettings(bucket="none", endpoint_url="http://127.0.0.1:1"),
        jobs=JobSettings(),
        gateway=GatewaySettings(),
    )


def test_a_gateway_whose_database_has_a_full_disk_is_not_ready_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fixed bug: `/readyz` answered 200 while every request was refused with `database_unavailable`."""
    monkeypatch.setattr(write_probe.WriteProbe.__init__, "__defaults__", (0.05,))
    mine = {"BROKER_URL": "redis://broker", "S3_ENDPOINT_URL": "https://s3"}
    with (
        small_disk(tmp_path / "disk", 400) as disk,
        EmbeddedStack(disk / "data", environment=mine) as stack,
    ):
        assert stack.postgres is not None
        migrate(stack.postgres.owner_url())
        with TestClient(create_app(settings_of(stack))) as client:

            def is_ready() -> bool:
                return client.get("/readyz").status_code == 200

            eventually(is_ready, "readiness")
            filler = fill(disk)
            eventually(lambda: not is_ready(), "the loss of readiness")
            assert client.get("/readyz").json()["checks"]["postgres"] == "failing"
            filler.unlink()
            eventually(is_ready, "readiness with room again")


def test_a_start_on_a_full_disk_names_it_in_one_line(tmp_path: Path) -> None:
    """Fixed bug: `luminary up` started on a full disk, and then every request failed."""
    with small_disk(tmp_path / "disk", 32) as disk, starting(disk / "data", 1) as supervisor:
        assert supervisor.stdout is not None
        output = supervisor.stdout.read()
    assert f"The disk of {disk}/data has" in output
    assert "Luminary needs 256 MB: free some space" in output
    assert "Luminary is ready" not in output


def test_a_disk_that_fills_while_the_platform_runs_is_named(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 700) as disk, starting(disk / "data", 1) as supervisor:
        assert supervisor.stdout is not None
        for line in supervisor.stdout:
            if "is ready" in line:
                fill(disk)
            if line.startswith("the disk of"):
                assert "has 0 MB free" in line
                break
        else:
            pytest.fail("the full disk was not reported")
