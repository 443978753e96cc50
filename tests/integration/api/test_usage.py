"""Usage over HTTP: sums in every grouping, ranges, JSON and CSV, and what is refused."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import combinations
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Numeric, cast, func, select, text

from services.api.problems.codes import ProblemCode
from shared.database import Database
from shared.ids import IdKind, format_id
from shared.job_store import UsageAmounts
from shared.tables import UsageRecord
from tests.support.gateway.clients import Project, assert_problem
from tests.support.gateway.running import make_key
from tests.support.gateway.usage import PATH, answered, finish, key_id_of, report, rows, table

GROUPS = {"day": "day", "project": "project_id", "api_key": "api_key_id", "task": "task", "model": "model"}
AMOUNTS = ("jobs", "images", "prompt_tokens", "tokens_done", "compute_seconds")
SUBSETS = [subset for n in range(1, 6) for subset in combinations(GROUPS, n)]
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
MARCH = {"start": "2026-03-01", "end": "2026-04-01"}
ONE = UsageAmounts(images=1, prompt_tokens=5, tokens_done=4, compute_seconds=0.5)


@dataclass(frozen=True)
class Ended:
    """A job that has ended, as a test knows it."""

    facts: dict[str, str | None]
    usage: UsageAmounts

    def amounts(self) -> dict[str, Decimal]:
        """What it adds to its row."""
        usage = self.usage
        seconds = round(Decimal(repr(usage.compute_seconds)), 6)
        counts = (1, usage.images, usage.prompt_tokens, usage.tokens_done)
        return dict(zip(AMOUNTS, (*map(Decimal, counts), seconds), strict=True))


@pytest.fixture
def jobs(alice: Project, bob: Project, database: Database) -> list[Ended]:
    """Jobs of two projects, three keys, two tasks, three models and three days."""
    other = Project(alice.client, alice.project_id, make_key(database, alice.project_id))
    ended: list[Ended] = []
    for number in range(12):
        project = (alice, other, bob)[number % 3]
        asked: dict[str, Any] = {"task": "image_pair", "target": "depth"} if number % 2 else {}
        assert project.submit(**asked).status_code == 202
        usage = UsageAmounts(number % 5, 2**53 + number, 2**40 * number, 0.1 * number + 1e-7)
        model = ("tiny", "large", None)[number // 2 % 3]
        at = FIRST + timedelta(days=number % 4 // 2 + number % 2, hours=23, minutes=59)
        finish(database, usage, model, at)
        facts = {
            "day": str(at.date()),
            "project_id": format_id(IdKind.PROJECT, project.project_id),
            "api_key_id": key_id_of(database, project.token),
            "task": asked.get("task", "text_to_image"),
            "model": model,
        }
        ended.append(Ended(facts, usage))
    return ended


def summed(jobs: list[Ended], subset: tuple[str, ...]) -> dict[tuple[str | None, ...], dict[str, Decimal]]:
    """The sums of the jobs for each combination of the groups' values."""
    found: dict[tuple[str | None, ...], dict[str, Decimal]] = {}
    for job in jobs:
        sums = found.setdefault(
            tuple(job.facts[GROUPS[group]] for group in subset), dict.fromkeys(AMOUNTS, Decimal(0))
        )
        for name, amount in job.amounts().items():
            sums[name] += amount
    return found


def shown(
    data: list[dict[str, Any]], subset: tuple[str, ...]
) -> dict[tuple[str | None, ...], dict[str, Decimal]]:
    """The rows of an answer by the values of their groups, each once; numbers as exact decimals."""
    found = {
        tuple(row[GROUPS[group]] for group in subset): {name: Decimal(str(row[name])) for name in AMOUNTS}
        for row in data
    }
    assert len(found) == len(data)
    assert {tuple(row) for row in data} <= {(*(GROUPS[group] for group in subset), *AMOUNTS)}
    return found


@pytest.mark.parametrize("own", [True, False], ids=["a project", "all projects"])
def test_rows_are_the_sums_of_the_jobs_in_every_grouping_and_format(
    alice: Project, admin: Project, jobs: list[Ended], *, own: bool
) -> None:
    mine = format_id(IdKind.PROJECT, alice.project_id)
    wanted = [job for job in jobs if not own or job.facts["project_id"] == mine]
    reader = alice if own else admin
    for subset in SUBSETS:
        data = report(reader, group_by=",".join(subset), **MARCH)["data"]
        assert shown(data, subset) == summed(wanted, subset)
        as_csv = table(reader, group_by=list(subset), **MARCH)
        assert as_csv == [
            {name: "" if value is None else str(value) for name, value in row.items()} for row in data
        ]
    assert shown(report(admin, group_by="day", project_id=mine, **MARCH)["data"], ("day",)) == summed(
        [job for job in jobs if job.facts["project_id"] == mine], ("day",)
    )


def test_sums_of_the_rows_are_those_of_the_table(
    alice: Project, jobs: list[Ended], database: Database
) -> None:
    exact = func.round(cast(UsageRecord.compute_seconds, Numeric), 6)
    columns = (UsageRecord.images, UsageRecord.prompt_tokens, UsageRecord.tokens_done, exact)
    with database.transaction() as session:
        statement = select(func.count(), *map(func.sum, columns))
        total = session.execute(statement.where(UsageRecord.project_id == alice.project_id)).one()
    for subset in SUBSETS:
        data = shown(report(alice, group_by=",".join(subset), **MARCH)["data"], subset).values()
        assert [sum(row[name] for row in data) for name in AMOUNTS] == list(total)


def test_rows_are_ordered_by_their_groups_and_the_request_s_order_does_not_matter(
    alice: Project, jobs: list[Ended]
) -> None:
    found = report(alice, group_by=["model", "day,model"], **MARCH)
    assert found["group_by"] == ["day", "model"]
    assert (found["from"], found["to"]) == ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z")
    order = [(row["day"], row["model"] or "~") for row in found["data"]]
    assert order == sorted(order)
    assert len(order) > 4


def test_a_project_never_sees_another_one_s_usage(
    alice: Project, bob: Project, admin: Project, database: Database
) -> None:
    assert alice.submit().status_code == 202
    finish(database, ONE, "tiny")
    mine, other = (format_id(IdKind.PROJECT, one.project_id) for one in (alice, bob))
    everything = ",".join(GROUPS)
    assert report(bob, group_by=everything)["data"] == []
    assert report(bob, group_by=everything, project_id=other)["data"] == []
    assert_problem(bob.get(PATH, params={"project_id": mine}), ProblemCode.NOT_FOUND, "project_id")
    assert [row[0] for row in rows(alice, "project")] == [mine]
    assert report(admin, project_id=other)["data"] == []
    assert rows(admin, "project") == rows(admin, "project", project_id=mine) == rows(alice, "project")


def test_a_range_has_its_start_and_not_its_end(alice: Project, database: Database) -> None:
    microsecond = timedelta(microseconds=1)
    for at in (
        FIRST - microsecond,
        FIRST,
        FIRST + timedelta(days=1) - microsecond,
        FIRST + timedelta(days=1),
    ):
        assert alice.submit().status_code == 202
        finish(database, ONE, "tiny", at)
    assert [row[:2] for row in rows(alice, "day", start="2026-03-01", end="2026-03-02")] == [
        ("2026-03-01", 2)
    ]
    times = {"start": "2026-03-01T01:00:00+01:00", "end": "2026-03-01T22:00:00-02:00"}
    assert [row[:2] for row in rows(alice, "day", **times)] == [("2026-03-01", 2)]
    days = [row[:2] for row in rows(alice, "day", start="2026-02-28", end="2026-03-03")]
    assert days == [("2026-02-28", 1), ("2026-03-01", 2), ("2026-03-02", 1)]


def test_without_a_range_it_is_the_last_thirty_days(alice: Project, database: Database) -> None:
    with database.transaction() as session:
        now = session.scalars(select(func.now())).one().astimezone(UTC)
    start = (now - timedelta(days=30)).replace(hour=0, minute=0, second=0, microsecond=0)
    for at in (None, start, start - timedelta(microseconds=1)):
        assert alice.submit().status_code == 202
        finish(database, ONE, "tiny", at)
    found = report(alice)
    assert found["group_by"] == ["day"]
    assert datetime.fromisoformat(found["from"]) - start in {timedelta(0), timedelta(days=1)}
    assert [row["jobs"] for row in found["data"]] == [1, 1]
    assert report(alice, end="2026-03-31T05:00:00Z")["from"] == "2026-03-01T00:00:00Z"


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"from": "yesterday"}, "from", "2026-03-01T12:00:00Z"),
    ({"from": "2026-02-30"}, "from", "a day such as 2026-03-01"),
    ({"to": "2026-03-01T12:00:00"}, "to", "UTC offset"),
    ({"to": "1772366400"}, "to", "RFC 3339"),
    ({"from": "0001-01-01T00:00:00+12:00"}, "from", "RFC 3339"),
    ({"to": "0001-01-01"}, "from", "earlier than `to`"),
    ({"from": "2026-03-02", "to": "2026-03-02"}, "from", "earlier than `to`"),
    ({"from": "2999-01-01"}, "from", "earlier than `to`"),
    ({"from": "2025-01-01", "to": "2026-01-02T00:00:01Z"}, "from", "at most 366 days"),
    ({"group_by": "modle"}, "group_by", "did you mean `model`?"),
    ({"group_by": ["day", "day,key"]}, "group_by", "no group `key`"),
    ({"group_by": ""}, "group_by", "no group ``"),
    ({"format": "xml"}, "format", "'json' or 'csv'"),
    ({"from": ["2026-03-01", "2026-03-02"]}, "from", "only once"),
    ({"project_id": "shop"}, "project_id", ""),
    ({"frm": "2026-03-01"}, "frm", "did you mean `from`?"),
]
"""A query, the parameter that is wrong in it, and words of the refusal."""


def test_a_wrong_parameter_is_named(alice: Project) -> None:
    for query, param, words in WRONG:
        document = assert_problem(alice.get(PATH, params=query), ProblemCode.INVALID_REQUEST, param)
        assert words in document.detail, query


def test_a_range_may_have_366_days(alice: Project) -> None:
    assert report(alice, start="2025-01-01", end="2026-01-02")["data"] == []


@pytest.mark.parametrize(
    ("wanted", "accept", "is_csv"),
    [
        (None, "text/csv", True),
        (None, "application/json, Text/CSV; q=0.5", True),
        (None, "text/csv;q=0, */*", False),
        (None, "*/*", False),
        (None, "text/csv-schema", False),
        ("json", "text/csv", False),
        ("csv", "application/json", True),
    ],
)
def test_format_decides_and_otherwise_the_header_accept(
    alice: Project, wanted: str | None, accept: str, *, is_csv: bool
) -> None:
    query = {"from": "2026-03-01", "to": "2026-03-05"} | ({} if wanted is None else {"format": wanted})
    answer = answered(alice, query, headers={"Accept": accept})
    kind = "text/csv; charset=utf-8" if is_csv else "application/json"
    assert (answer.headers["content-type"], answer.headers["vary"]) == (kind, "Accept")
    if is_csv:
        assert answer.headers["content-disposition"] == (
            'attachment; filename="usage-2026-03-01-2026-03-05.csv"'
        )
        assert answer.text == "day,jobs,images,prompt_tokens,tokens_done,compute_seconds\r\n"


def test_a_text_that_spreadsheets_would_compute_gets_an_apostrophe(
    alice: Project, database: Database
) -> None:
    for name in ('=HYPERLINK("http://evil")', 'a "quoted", name'):
        assert alice.submit().status_code == 202
        finish(database, ONE, name)
    models = [row["model"] for row in table(alice, group_by="model")]
    assert models == ['\'=HYPERLINK("http://evil")', 'a "quoted", name']
    assert rows(alice, "model")[0][0] == '=HYPERLINK("http://evil")'


def test_too_many_rows_are_refused_with_what_helps(alice: Project, database: Database) -> None:
    insert = text(
        "INSERT INTO usage_records (job_id, project_id, task, images, prompt_tokens, tokens_done,"
        " compute_seconds, api_key_id) SELECT uuidv7(), :project, 'dense', 1, 1, 1, 1, uuidv7()"
        " FROM generate_series(1, :count)"
    )

    def add(count: int) -> None:
        with database.transaction() as session:
            session.execute(insert, {"project": alice.project_id, "count": count})

    add(10_000)
    assert len(rows(alice, "api_key")) == 10_000
    add(1)
    for form in ("json", "csv"):
        query = {"group_by": "api_key", "format": form}
        document = assert_problem(alice.get(PATH, params=query), ProblemCode.INVALID_REQUEST, "group_by")
        assert "`from`" in document.detail
        assert "`project_id`" in document.detail
    assert [row[1] for row in rows(alice, "task")] == [10_001]


def test_an_unknown_project_of_an_administrator_has_no_usage(admin: Project) -> None:
    assert report(admin, project_id=format_id(IdKind.PROJECT, UUID(int=7)))["data"] == []
