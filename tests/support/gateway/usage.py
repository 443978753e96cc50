"""Usage in tests: jobs that end without a worker, and reports of what they took."""

import csv
import io
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx2
from sqlalchemy import select, update

from shared.database import Database
from shared.ids import IdKind, format_id
from shared.job_store import Answer, UsageAmounts, succeed_job
from shared.security import hash_api_key
from shared.tables import ApiKey, UsageRecord
from tests.support.factories import must_claim
from tests.support.gateway.clients import Project

Json = dict[str, Any]
PATH = "/v1/usage"


def finish(database: Database, usage: UsageAmounts, model: str | None, at: datetime | None = None) -> UUID:
    """Let the job succeed that a worker would claim next. at: when it ended, if not now."""
    lease = must_claim(database).lease
    with database.transaction() as session:
        succeed_job(session, lease, Answer((), usage, model=model))
        if at is not None:
            session.execute(
                update(UsageRecord).where(UsageRecord.job_id == lease.job_id).values(created_at=at)
            )
    return lease.job_id


def answered(project: Project, query: Json, **more: Any) -> httpx2.Response:
    """The answer to a request for usage, which must succeed."""
    answer = project.get(PATH, params=query, **more)
    assert answer.status_code == 200, answer.text
    return answer


def report(project: Project, **query: Any) -> Json:
    """Usage in JSON. start, end: the parameters `from` and `to`."""
    return answered(project, named(query)).json()


def rows(project: Project, *groups: str, **query: Any) -> list[tuple[Any, ...]]:
    """The values of the report's rows."""
    return [tuple(row.values()) for row in report(project, group_by=",".join(groups), **query)["data"]]


def table(project: Project, **query: Any) -> list[dict[str, str]]:
    """Usage in CSV."""
    answer = answered(project, named(query) | {"format": "csv"})
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def named(query: Json) -> Json:
    """The query with the API's names of the range."""
    return {{"start": "from", "end": "to"}.get(name, name): value for name, value in query.items()}


def key_id_of(database: Database, token: str) -> str:
    """Public id of the key."""
    with database.transaction() as session:
        found = session.scalars(select(ApiKey.id).where(ApiKey.sha256 == hash_api_key(token))).one()
    return format_id(IdKind.API_KEY, found)
