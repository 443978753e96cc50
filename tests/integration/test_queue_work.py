"""The view of the work of each queue, which autoscalers read, and the role that may read it alone."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import select, text, update

from infra.local.postgres_roles import Role, ensure_role
from infra.local.stack import EmbeddedStack
from migrations.roles import SCALER, let_read
from services.api.process.work import MOST_MODELS, by_label
from shared.database import Database
from shared.jobs import Queue
from shared.settings import DatabaseSettings
from shared.tables import QUEUE_WORK, Job
from tests.support.factories import must_claim, queue_job
from tests.support.kubernetes.manifests import kubectl, of_kind, read_plainly, rendered
from tests.support.servers.databases import role_url

IN_AN_HOUR = datetime.now(UTC) + timedelta(hours=1)


def rows(database: Database) -> list[tuple[object, ...]]:
    with database.transaction() as session:
        return sorted((tuple(row) for row in session.execute(select(QUEUE_WORK))), key=str)


def change(database: Database, job_id: UUID, **values: object) -> None:
    with database.transaction() as session:
        session.execute(update(Job).where(Job.id == job_id).values(**values))


def test_jobs_that_wait_for_a_slot_or_have_one_are_work(database: Database, project_id: UUID) -> None:
    jobs = [queue_job(database, project_id) for _ in range(5)]
    assert must_claim(database).lease.job_id == jobs[0]
    change(database, jobs[1], blocked_by=jobs[0])
    change(database, jobs[2], available_at=IN_AN_HOUR)
    change(database, jobs[3], model="lumina")

    assert rows(database) == [("generate", "lumina", 1, 0, 1), ("generate", None, 1, 1, 2)]


def test_without_open_jobs_there_is_no_row(database: Database) -> None:
    assert rows(database) == []


def test_the_scaler_reads_the_view_and_nothing_else(
    stack: EmbeddedStack, settings: DatabaseSettings, database: Database, project_id: UUID
) -> None:
    queue_job(database, project_id)
    name = role_url(settings.url.get_secret_value()).database
    assert stack.postgres is not None
    assert name is not None
    with psycopg.connect(stack.postgres.superuser_url(name), autocommit=True) as admin:
        ensure_role(admin, role := Role(SCALER, "secret"))
        let_read(admin, name, role)
    url = role_url(settings.url.get_secret_value(), SCALER, "secret")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as scaler:
        assert scaler.execute("SELECT work FROM queue_work WHERE queue = 'generate'").fetchall() == [(1,)]
        for refused in ("SELECT 1 FROM jobs", "SELECT 1 FROM api_keys", "UPDATE jobs SET priority = 0"):
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
                scaler.execute(refused)
        scaler.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            scaler.execute("DELETE FROM jobs")


def queries_of_scalers() -> dict[str, str]:
    """The queries of all ScaledObjects, by their name."""
    fleet = rendered("overlays/gpu-fleet") if kubectl() else read_plainly("overlays/gpu-fleet")
    return {
        each["metadata"]["name"].removeprefix("luminary-worker-"): each["spec"]["triggers"][0]["metadata"][
            "query"
        ]
        for each in of_kind(fleet, "ScaledObject")
    }


def test_scalers_get_one_number_for_every_kind_of_worker(database: Database, project_id: UUID) -> None:
    def figures() -> dict[str, int]:
        with database.transaction() as session:
            return {
                name: int(session.scalars(text(query)).one()) for name, query in queries_of_scalers().items()
            }

    assert figures() == {"generate": 0, "edit": 0, "dense": 0, "spot": 0, "small": 0}
    jobs = [queue_job(database, project_id) for _ in range(35)]
    queue_job(database, project_id, queue=Queue.EDIT)
    must_claim(database)
    assert figures() == {"generate": 35, "edit": 1, "dense": 0, "spot": 3, "small": 0}
    change(database, jobs[-1], model="lumina-small")
    kept = {"generate": 34, "spot": 2} if kubectl() else {"generate": 35, "spot": 2}  # a patch of the fleet
    assert figures() == {"edit": 1, "dense": 0, "small": 1} | kept


def test_labels_of_models_are_bounded_and_no_job_is_left_out() -> None:
    named = [("edit", f"model-{number}", 2, 1) for number in range(MOST_MODELS + 7)]
    figures = by_label([*named, ("edit", None, 4, 0), ("generate", "model-0", 1, 0)])

    assert figures["edit", "other"] == (14, 7)
    assert figures["edit", "any"] == (4, 0)
    assert figures["generate", "model-0"] == (1, 0)
    assert figures["dense", "any"] == (0, 0)
    assert len(figures) == 3 + MOST_MODELS + 1 + 1
    assert sum(waiting for waiting, _ in figures.values()) == 2 * (MOST_MODELS + 7) + 5
