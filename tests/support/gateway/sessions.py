"""Sessions over HTTP in tests, and jobs that are drawn or fail without a worker."""

import base64
from typing import Any

import httpx2

from shared.database import Database
from shared.job_errors import JobError, JobErrorCode
from shared.job_store import fail_job, succeed_job
from tests.support.factories import must_claim, one_picture
from tests.support.gateway.clients import Project, png

Json = dict[str, Any]
DATA_URL = f"data:image/png;base64,{base64.b64encode(png(64, 64)).decode()}"
"""A picture as it stands in a request."""


def create(project: Project, **fields: Any) -> Json:
    """Create a session, which must succeed."""
    answer = project.post("/v1/sessions", json=fields)
    assert answer.status_code in {201, 202}, answer.text
    return answer.json()


def tree(project: Project, session: Json) -> Json:
    """The session with all its turns."""
    return project.get(f"/v1/sessions/{session['id']}").json()


def post_turn(project: Project, session: Json, **fields: Any) -> Json:
    """Post a turn, which must be accepted."""
    answer = project.post(f"/v1/sessions/{session['id']}/turns", json={"prompt": "add a tree", **fields})
    assert answer.status_code == 202, answer.text
    return answer.json()


def draw(database: Database) -> None:
    """Draw the job that a worker would claim next."""
    lease = must_claim(database).lease
    with database.transaction() as session:
        succeed_job(session, lease, one_picture())


def fail(database: Database) -> None:
    """Fail the job that a worker would claim next, for good."""
    lease = must_claim(database).lease
    with database.transaction() as session:
        fail_job(session, lease, JobError(JobErrorCode.INVALID_REQUEST, "the prompt is too long"))


def head_of(session: Json) -> str | None:
    """The candidate that is the head."""
    return session["head"]["candidate_id"]


def first_picture(turn: Json) -> str:
    """The first candidate of a turn."""
    return turn["candidates"][0]["id"]


def put_head(project: Project, session: Json, candidate: str | None, **headers: str) -> Json:
    """Move the head and return it."""
    answer = project.client.put(
        f"/v1/sessions/{session['id']}/head",
        headers=project.authorization | {name.replace("_", "-"): value for name, value in headers.items()},
        json={"candidate": candidate},
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == f'"{answer.json()["version"]}"'
    return answer.json()


def patch(project: Project, path: str, **fields: Any) -> Json:
    """Change a resource and return it."""
    answer = project.client.patch(path, headers=project.authorization, json=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


def listed(project: Project, **query: Any) -> list[Json]:
    """The sessions of a list."""
    return project.get("/v1/sessions", params=query).json()["data"]


def remove(project: Project, path: str, **query: Any) -> httpx2.Response:
    """Send DELETE and return the answer."""
    return project.client.delete(path, headers=project.authorization, params=query)
