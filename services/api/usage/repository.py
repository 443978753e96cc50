"""Sums of `usage_records`, which has one row for each job, however often the job was tried."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Date, Numeric, cast, func, literal_column, select
from sqlalchemy.orm import Session

from services.api.http.query_rules import invalid_query
from services.api.usage.parameters import Period, WantedPeriod
from services.api.usage.schemas import AMOUNTS, FIELDS, Group, UsageReport, UsageRow
from shared.ids import IdKind, format_id
from shared.job_store.clock import database_time
from shared.tables import UsageRecord

MOST_ROWS = 10_000
COLUMNS: Mapping[Group, Any] = {
    # a constant and no parameter, so that SELECT and GROUP BY have the same expression
    Group.DAY: cast(func.timezone(literal_column("'UTC'"), UsageRecord.created_at), Date),
    Group.PROJECT: UsageRecord.project_id,
    Group.API_KEY: UsageRecord.api_key_id,
    Group.TASK: UsageRecord.task,
    Group.MODEL: UsageRecord.model,
}
SUMS = (
    func.count(),
    func.sum(UsageRecord.images),
    func.sum(UsageRecord.prompt_tokens),
    func.sum(UsageRecord.tokens_done),
    # sums of floats depend on the order of the rows; those of decimals do not
    func.sum(func.round(cast(UsageRecord.compute_seconds, Numeric), 6)),
)
KINDS = {Group.PROJECT: IdKind.PROJECT, Group.API_KEY: IdKind.API_KEY}


def read_usage(
    session: Session, project_id: UUID | None, wanted: WantedPeriod, groups: Sequence[Group]
) -> UsageReport:
    """Usage of a project, or of all for None. Raises Problem for a wrong range and for too many rows."""
    period = wanted.at(session.scalars(select(database_time())).one())
    rows = read_rows(session, project_id, period, groups)
    if len(rows) > MOST_ROWS:
        detail = (
            f"The answer would have more than {MOST_ROWS} rows. Shorten the range with `from` and `to`, "
            "name fewer groups in `group_by`, or ask for one project with `project_id`."
        )
        raise invalid_query("group_by", "too_many_rows", detail)
    return UsageReport(
        object="usage",
        start=period.start,
        end=period.end,
        group_by=list(groups),
        data=[view_row(row, groups) for row in rows],
    )


def read_rows(
    session: Session, project_id: UUID | None, period: Period, groups: Sequence[Group]
) -> list[tuple[Any, ...]]:
    """The groups' values and the sums; at most one row more than an answer may have."""
    columns = [COLUMNS[group] for group in groups]
    statement = select(*columns, *SUMS).where(
        UsageRecord.created_at >= period.start, UsageRecord.created_at < period.end
    )
    if project_id is not None:
        statement = statement.where(UsageRecord.project_id == project_id)
    statement = statement.group_by(*columns).order_by(*columns).limit(MOST_ROWS + 1)
    return [tuple(row) for row in session.execute(statement)]


def view_row(row: tuple[Any, ...], groups: Sequence[Group]) -> UsageRow:
    """The row as the API shows it, with the fields of its groups alone."""
    values = {FIELDS[group]: shown(group, value) for group, value in zip(groups, row, strict=False)}
    return UsageRow.model_validate(values | dict(zip(AMOUNTS, row[len(groups) :], strict=True)))


def shown(group: Group, value: Any) -> Any:
    """A group's value in the answer: ids of the database become public ids."""
    return value if value is None or group not in KINDS else format_id(KINDS[group], value)
