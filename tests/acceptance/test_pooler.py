"""The platform behind a transaction pooler, which gives each transaction another connection."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.installation import migrate
from infra.local.stack import EmbeddedStack
from shared.jobs import JobState
from tests.support.gateway.event_streams import reading
from tests.support.gateway.running import make_key
from tests.support.models.random_models import write_decoder, write_movqgan
from tests.support.platforms.evidence import assert_done_exactly_once, want_webhooks
from tests.support.platforms.installation import SLOTS, Installation
from tests.support.platforms.platform import eventually
from tests.support.servers.pooler import Pooler, pooled, program

CONNECTIONS = 4
JOBS = 12


@pytest.fixture
def behind_pooler(tmp_path: Path) -> Iterator[tuple[Installation, Pooler]]:
    """An installation whose services all reach PostgreSQL through the pooler."""
    path = program()
    if path is None:
        pytest.skip("PgBouncer is not installed (pgbouncer, as in Debian's package)")
    model = write_decoder(tmp_path / "random")
    write_movqgan(model / "movqgan")
    with (
        tempfile.TemporaryDirectory(prefix="luminary-pooler-") as folder,
        EmbeddedStack(Path(folder) / "stack", environment={}, durable=False) as stack,
    ):
        assert stack.postgres is not None
        migrate(stack.postgres.owner_url())
        Path(folder).chmod(0o755)  # the pooler runs as another account
        with pooled(Path(folder) / "pooler", path, stack.postgres.url(), CONNECTIONS) as pooler:
            # older versions of PgBouncer keep no prepared statements
            variables = {"DATABASE_URL": pooler.url, "DATABASE_PREPARED_STATEMENTS": "false"}
            installation = Installation(tmp_path / "logs", model, stack, variables)
            try:
                installation.start()
                yield installation, pooler
            finally:
                installation.stop()


@pytest.mark.long
def test_jobs_events_and_webhooks_pass_through_a_transaction_pooler(
    behind_pooler: tuple[Installation, Pooler],
) -> None:
    installation, pooler = behind_pooler
    platform = installation.world("pooled")
    want_webhooks(platform)
    key = make_key(platform.database, platform.project_id)
    gateway_port = int(installation.gateway_url.rpartition(":")[2])
    with reading(gateway_port, key, "/v1/events?types=job.succeeded&after=beginning") as reader:
        jobs = [platform.ask(seed=seed, size="96x96") for seed in range(JOBS)]
        platform.started_drawing(jobs[SLOTS - 1])
        clients, servers = pooler.connections()
        installation.worker.kill()
        installation.worker.start()
        for job_id in jobs:
            assert platform.finished(job_id).state == JobState.SUCCEEDED
            assert_done_exactly_once(platform, job_id)
        eventually(lambda: reader.types.count("job.succeeded") == JOBS, "an event of each job")
    assert servers <= CONNECTIONS < clients
