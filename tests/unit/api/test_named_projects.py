"""The check of SQL statements finds those that name no project."""

from uuid import UUID

import pytest

from tests.support.gateway.named_projects import untied

PROJECT, OTHER, KNOWN, SENT = (UUID(int=number) for number in range(1, 5))

TIED = (
    "SELECT jobs.id FROM jobs WHERE jobs.id = %(sent)s::UUID AND jobs.project_id = %(project)s::UUID",
    "SELECT projects.id FROM projects WHERE projects.id = %(project)s::UUID",
    (
        "SELECT candidates.id FROM candidates JOIN jobs ON jobs.id = candidates.job_id "
        "WHERE candidates.id = %(sent)s::UUID AND jobs.project_id = %(project)s::UUID"
    ),
    "SELECT t.id FROM turns AS t WHERE t.session_id IN (%(known)s::UUID, %(known)s::UUID)",
    (
        "SELECT turns.id FROM turns WHERE turns.session_id IN (SELECT sessions.id FROM sessions "
        "WHERE sessions.project_id = %(project)s::UUID)"
    ),
    (
        "SELECT images.id FROM images, candidates WHERE images.id = candidates.image_id "
        "AND candidates.job_id = %(known)s::UUID"
    ),
    "INSERT INTO jobs (project_id, candidates) VALUES (%(project)s::UUID, 1) RETURNING jobs.id",
    "INSERT INTO job_requests (job_id, request) VALUES (%(known)s::UUID, '{}')",
    "UPDATE sessions SET title='x' WHERE sessions.id = %(known)s::UUID",
    "SELECT turns.id FROM turns WHERE turns.job_id IN (NULL) AND (1 != 1)",
    "SELECT workers.id FROM workers",
)
UNTIED = {
    "SELECT jobs.id FROM jobs": {"jobs"},
    "SELECT jobs.id FROM jobs WHERE jobs.id = %(sent)s::UUID": {"jobs"},
    "SELECT jobs.id FROM jobs WHERE jobs.project_id = %(other)s::UUID": {"jobs"},
    "SELECT jobs.id FROM jobs WHERE jobs.state = %(state)s": {"jobs"},
    "SELECT jobs.id FROM jobs WHERE jobs.id != %(known)s::UUID": {"jobs"},
    "SELECT images.id FROM images, jobs WHERE jobs.project_id = %(project)s::UUID": {"images"},
    "SELECT candidates.id FROM candidates JOIN jobs ON jobs.id = candidates.job_id": {"candidates", "jobs"},
    "SELECT jobs.id FROM jobs JOIN workers ON workers.id = jobs.lease_owner": {"jobs"},
    "SELECT t.id FROM turns AS t WHERE t.session_id IN (%(known)s::UUID, %(sent)s::UUID)": {"turns"},
    "INSERT INTO jobs (project_id) VALUES (%(other)s::UUID)": {"jobs"},
    "INSERT INTO turns (session_id) VALUES (%(sent)s::UUID)": {"turns"},
    "UPDATE sessions SET title='x' WHERE sessions.id = %(sent)s::UUID": {"sessions"},
    "DELETE FROM jobs WHERE jobs.id = %(sent)s::UUID": {"jobs"},
}
PARAMETERS = {"project": PROJECT, "other": OTHER, "known": KNOWN, "sent": SENT, "state": "queued"}


def named(statement: str) -> dict[str, object]:
    """The parameters that the statement has."""
    return {name: value for name, value in PARAMETERS.items() if f"%({name})s" in statement}


@pytest.mark.parametrize("statement", TIED)
def test_a_statement_may_name_the_project_a_row_of_it_or_a_join_with_either(statement: str) -> None:
    assert untied(statement, named(statement), PROJECT, {KNOWN}) == set()


@pytest.mark.parametrize("statement", UNTIED)
def test_a_table_that_nothing_ties_to_the_project_is_found(statement: str) -> None:
    assert untied(statement, named(statement), PROJECT, {KNOWN}) == UNTIED[statement]
