"""What counts as usage: each job once, with the key that submitted it, whatever happens to job and key."""

import pytest
from sqlalchemy import delete, select, update

from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.ids import IdKind, parse_id
from shared.job_errors import JobError, JobErrorCode
from shared.job_store import (
    Answer,
    LeaseLostError,
    UndecodedOutput,
    UsageAmounts,
    add_decoded,
    confirm_cancel,
    fail_job,
    reap_expired_leases,
    release_job,
    succeed_job,
    take_undecoded,
)
from shared.tables import ApiKey, Job, JobRequestRow
from shared.token_grid import TokenGrid
from tests.support.factories import let_lease_run_out, must_claim, one_picture
from tests.support.gateway.clients import Project
from tests.support.gateway.openai import Painter, add_worker
from tests.support.gateway.running import make_key
from tests.support.gateway.sessions import create, fail, head_of, post_turn, tree
from tests.support.gateway.usage import finish, key_id_of, rows
from tests.support.platforms.platform import eventually

ONE = UsageAmounts(images=1, prompt_tokens=5, tokens_done=4, compute_seconds=0.5)
ROW = (1, 1, 5, 4, 0.5)
"""The amounts of one job with this usage."""
NO_ROOM = JobError(JobErrorCode.OUT_OF_MEMORY, "no room")


def with_another_key(project: Project, database: Database) -> Project:
    """The project with a new key."""
    return Project(project.client, project.project_id, make_key(database, project.project_id))


def post_job(project: Project) -> str:
    """Queue a job; its path."""
    answer = project.submit()
    assert answer.status_code == 202, answer.text
    return f"/v1/jobs/{answer.json()['id']}"


def let_wait_end(database: Database) -> None:
    """Let a job that waits before its next attempt be claimed at once."""
    with database.transaction() as session:
        session.execute(update(Job).values(available_at=Job.created_at))


def test_a_job_that_the_platform_tries_again_counts_once_for_its_key(
    alice: Project, database: Database
) -> None:
    post_job(alice)
    failed = must_claim(database).lease
    with database.transaction() as session:
        fail_job(session, failed, NO_ROOM)
    let_wait_end(database)
    drained = must_claim(database).lease
    with database.transaction() as session:
        release_job(session, drained, "drain")
    lost = must_claim(database).lease
    let_lease_run_out(database, lost)
    with database.transaction() as session:
        reap_expired_leases(session, 5)
    assert rows(alice, "api_key") == []

    finish(database, ONE, "tiny")

    for late in (failed, drained, lost):
        with pytest.raises(LeaseLostError), database.transaction() as session:
            succeed_job(session, late, one_picture())
    assert rows(alice, "api_key", "model") == [(key_id_of(database, alice.token), "tiny", *ROW)]


def test_an_answer_that_is_committed_twice_counts_once(alice: Project, database: Database) -> None:
    post_job(alice)
    lease = must_claim(database).lease
    with database.transaction() as session:
        succeed_job(session, lease, Answer((), ONE, model="tiny"))
    with pytest.raises(LeaseLostError), database.transaction() as session:
        succeed_job(session, lease, Answer((), ONE, model="tiny"))
    assert rows(alice, "model") == [("tiny", *ROW)]


def test_a_retry_of_the_client_is_a_job_of_the_key_that_asked_for_it(
    alice: Project, database: Database
) -> None:
    first = post_job(alice)
    fail(database)
    other = with_another_key(alice, database)
    assert other.post(f"{first}/retry").status_code == 202
    finish(database, ONE, "tiny")
    assert rows(alice, "api_key") == [(key_id_of(database, other.token), *ROW)]


def test_a_request_that_the_client_repeats_counts_once(alice: Project, database: Database) -> None:
    other = with_another_key(alice, database)
    answers = [one.submit({"Idempotency-Key": "a"}).json()["id"] for one in (alice, other, alice)]
    assert len(set(answers)) == 1
    finish(database, ONE, "tiny")
    assert rows(alice, "api_key") == [(key_id_of(database, alice.token), *ROW)]


def test_a_canceled_job_counts_with_what_was_drawn_and_with_pictures_that_are_decoded_later(
    alice: Project, database: Database
) -> None:
    path = post_job(alice)
    lease = must_claim(database).lease
    assert alice.post(f"{path}/cancel").json()["status"] == "canceling"
    late = UndecodedOutput(0, TokenGrid(1, 2, (1, 2)), {"luminary": "{}"}, None, partial=True)
    usage = UsageAmounts(images=0, prompt_tokens=5, tokens_done=2, compute_seconds=0.25)
    with database.transaction() as session:
        confirm_cancel(session, lease, Answer((), usage, (late,), model="tiny"))
    assert rows(alice, "model") == [("tiny", 1, 0, 5, 2, 0.25)]

    with database.transaction() as session:
        taken = take_undecoded(session, 60.0)
        assert taken is not None
        output = one_picture(partial=True).outputs[0]
        assert [add_decoded(session, taken, output) for _ in range(2)] == [True, False]
    assert rows(alice, "model") == [("tiny", 1, 1, 5, 2, 0.25)]


def test_jobs_that_failed_or_were_canceled_before_they_were_drawn_have_no_usage(
    alice: Project, database: Database
) -> None:
    post_job(alice)
    fail(database)
    alice.post(f"{post_job(alice)}/cancel")
    assert rows(alice, "day") == []


def test_usage_stays_when_its_job_and_its_key_are_deleted(
    alice: Project, admin: Project, database: Database
) -> None:
    path = post_job(alice)
    finish(database, ONE, "tiny")
    key = key_id_of(database, alice.token)
    assert alice.delete(path).status_code == 204
    waiting = post_job(alice)
    with database.transaction() as session:
        session.execute(delete(ApiKey).where(ApiKey.id == parse_id(IdKind.API_KEY, key)))
    assert alice.get(waiting).status_code == 401
    finish(database, ONE, "tiny")
    assert rows(admin, "api_key", "task") == [(key, "text_to_image", 2, 2, 10, 8, 1.0)]


def test_a_job_through_every_route_knows_its_key(
    alice: Project, bob: Project, database: Database, gateway_settings: GatewayProcessSettings
) -> None:
    """Agents have a test of their own in test_mcp.py, and batches in test_openai_batches.py."""
    add_worker(database)
    other = with_another_key(alice, database)
    openai = "/openai/v1/{}".format
    with Painter(database, gateway_settings):
        post_job(other)
        house = create(other, title="House", prompt="a red house")
        eventually(lambda: head_of(tree(other, house)), "the first picture")
        post_turn(other, house)
        image = {"type": "image_generation"}
        answers = [
            other.post(openai("images/generations"), json={"prompt": "a red circle"}),
            other.post(
                openai("chat/completions"),
                json={"model": "tiny", "messages": [{"role": "user", "content": "a boat"}]},
            ),
            other.post(openai("responses"), json={"model": "tiny", "input": "a boat", "tools": [image]}),
            other.post("/sdapi/v1/txt2img", json={"prompt": "a boat", "width": 256, "height": 256}),
        ]
        assert [answer.status_code for answer in answers] == [200] * 4, [one.text for one in answers]
        eventually(lambda: [row[1] for row in rows(alice, "api_key")] == [7], "seven jobs")
    assert {row[0] for row in rows(alice, "api_key")} == {key_id_of(database, other.token)}
    with database.transaction() as session:
        assert None not in set(session.scalars(select(JobRequestRow.api_key_id)))
    assert rows(bob, "api_key") == []
