"""Webhooks while the process that sends them is killed. `python -m benchmarks.webhooks` is the long run."""

from pathlib import Path

import pytest

from benchmarks.webhooks import deliver_under_kills
from infra.local.stack import EmbeddedStack
from shared.database import Database
from shared.settings import DatabaseSettings

DELIVERIES, KILLS = 150, 5


@pytest.mark.long
def test_every_message_arrives_although_the_io_worker_is_killed_again_and_again(
    stack: EmbeddedStack, settings: DatabaseSettings, database: Database, tmp_path: Path
) -> None:
    environment = {**stack.environment, "DATABASE_URL": settings.url.get_secret_value()}
    report = deliver_under_kills(environment, database, tmp_path, DELIVERIES, KILLS)
    assert (report.arrived, report.kills) == (DELIVERIES, KILLS)
    assert report.changed == []
    assert report.twice_without_kill == []
    assert report.requests <= DELIVERIES + report.running_at_kills
    assert report.running_at_kills > 0, "no try was running at any kill, so this run showed nothing"
