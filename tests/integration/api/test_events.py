"""Event streams over a real connection: the past, the present, and going on after a break."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from services.api.events import feed
from services.api.events import open as opening
from services.api.events.repository import Marks, read_marks
from services.api.problems.codes import PROBLEMS, ProblemCode
from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.ids import IdKind, format_id
from shared.job_store import (
    NewJob,
    Progress,
    request_cancel,
    save_progress,
    submit_job,
    succeed_job,
)
from shared.jobs import Phase, Queue
from shared.tables import JobEventRow, SessionRow, Turn
from tests.support.factories import make_project, must_claim, one_picture, queue_job
from tests.support.gateway.event_streams import StreamReader, reading
from tests.support.gateway.running import make_key
from tests.support.gateway.served import Served, request, served
from tests.support.platforms.platform import eventually

WHOLE = ["job.queued", "job.started", "job.succeeded"]


@pytest.fixture
def place(gateway_settings: GatewayProcessSettings) -> Iterator[Served]:
    """A gateway on its own port."""
    with served(gateway_settings) as place:
        yield place


@pytest.fixture
def token(database: Database, project_id: UUID) -> str:
    """A key of the test's project."""
    return make_key(database, project_id)


def public(job_id: UUID) -> str:
    return format_id(IdKind.JOB, job_id)


def path_of(job_id: UUID) -> str:
    return f"/v1/jobs/{public(job_id)}/events"


def finish_next(database: Database) -> UUID:
    """Act as a worker for the next job."""
    lease = must_claim(database).lease
    with database.transaction() as session:
        succeed_job(session, lease, one_picture())
    return lease.job_id


def assert_refused(reader: StreamReader, code: ProblemCode, param: str | None = None) -> str:
    """Check that the stream was refused with this problem, and return its detail."""
    document = json.loads(reader.body)
    assert (reader.status, document["error"]["code"]) == (PROBLEMS[code].status, code), document
    assert document["error"]["param"] == param
    return str(document["detail"])


def test_a_job_is_followed_from_its_first_event_to_its_end(
    place: Served, token: str, database: Database, project_id: UUID
) -> None:
    job_id = queue_job(database, project_id)
    with reading(place.port, token, path_of(job_id)) as reader:
        reader.wait_for(1)
        finish_next(database)
        reader.wait_for_end()
    assert reader.status == 200
    assert reader.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (reader.headers["cache-control"], reader.headers["x-accel-buffering"]) == ("no-store", "no")
    assert reader.types == WHOLE
    queued, started, succeeded = (event.data for event in reader.durable)
    assert [event.data["sequence"] for event in reader.durable] == [1, 2, 3]
    assert [event.data["id"] for event in reader.durable] == [event.id for event in reader.durable]
    assert queued["job_id"] == started["job_id"] == public(job_id)
    assert (queued["job"], started["job"]) == (None, None)
    assert "worker" not in started["data"]
    assert (succeeded["job"]["status"], len(succeeded["job"]["outputs"])) == ("succeeded", 1)


def test_a_stream_goes_on_after_any_of_its_events(
    place: Served, token: str, database: Database, project_id: UUID
) -> None:
    queue_job(database, project_id)
    job_id = finish_next(database)
    with reading(place.port, token, path_of(job_id)) as whole:
        whole.wait_for_end()
    for count, event in enumerate(whole.durable[:-1], 1):
        for path, header in ((path_of(job_id), event.id), (f"{path_of(job_id)}?after={event.id}", None)):
            with reading(place.port, token, path, header) as rest:
                rest.wait_for_end()
            assert rest.durable == whole.durable[count:]


def test_a_client_that_has_everything_of_an_ended_job_need_not_come_back(
    place: Served, token: str, database: Database, project_id: UUID
) -> None:
    """A browser reconnects after the end of a stream, but not after 204."""
    queue_job(database, project_id)
    job_id = finish_next(database)
    with reading(place.port, token, path_of(job_id)) as reader:
        reader.wait_for_end()
    with reading(place.port, token, path_of(job_id), reader.last_id) as again:
        assert (again.status, again.body) == (204, b"")


def test_the_last_event_of_a_job_is_sent_even_if_an_earlier_transaction_holds_it_back(
    place: Served, token: str, database: Database, project_id: UUID
) -> None:
    job_id = queue_job(database, project_id)
    with reading(place.port, token, path_of(job_id)) as first:
        first.wait_for(1)
    new = NewJob(project_id, Queue.EDIT, "edit", {"prompt": "a"}, max_failures=3)
    with ExitStack() as stack:
        with database.transaction() as earlier:
            submit_job(earlier, new)
            finish_next(database)
            second = stack.enter_context(reading(place.port, token, path_of(job_id), first.last_id))
            assert second.status == 200
        second.wait_for_end()
    assert second.types == WHOLE[1:]


def test_a_project_is_followed_from_now_on_and_after_a_break(
    place: Served, token: str, database: Database, project_id: UUID
) -> None:
    queue_job(database, project_id)
    with reading(place.port, token, "/v1/events") as first:
        finish_next(database)
        first.wait_for(2)
    other = queue_job(database, project_id)
    assert first.types == WHOLE[1:]
    with reading(place.port, token, "/v1/events", first.last_id) as second:
        finish_next(database)
        second.wait_for(3)
    assert second.types == WHOLE
    assert {event.data["job_id"] for event in second.durable} == {public(other)}


def test_a_client_that_has_had_no_event_misses_none(
    place: Served, token: str, database: Database, project_id: UUID
) -> None:
    """The opening of a stream has an id, which a browser sends even if no event has arrived."""
    with reading(place.port, token, "/v1/events") as first:
        eventually(lambda: first.last_id, "the opening")
    queue_job(database, project_id)
    with reading(place.port, token, "/v1/events", first.last_id or "") as second:
        second.wait_for(1)
    assert second.types == ["job.queued"]


def test_a_transaction_that_commits_after_a_later_one_is_not_missed(
    place: Served, token: str, database: Database, project_id: UUID
) -> None:
    new = NewJob(project_id, Queue.GENERATE, "text_to_image", {"prompt": "a"}, max_failures=3)
    # the head of the line, which both transactions then leave as it is
    queue_job(database, project_id)
    with reading(place.port, token, "/v1/events") as reader:
        with database.transaction() as earlier:
            first = submit_job(earlier, new).id
            second = queue_job(database, project_id)
            with reading(place.port, token, "/v1/events?after=now") as later:
                eventually(lambda: later.last_id, "the opening")
        reader.wait_for(2)
    assert [event.data["job_id"] for event in reader.durable] == [public(first), public(second)]
    with reading(place.port, token, "/v1/events", later.last_id) as resumed:
        resumed.wait_for(2)
    assert resumed.durable == reader.durable


def test_events_of_one_job_are_all_that_its_stream_has(
    place: Served, token: str, database: Database, project_id: UUID
) -> None:
    queue_job(database, project_id)
    job_id = queue_job(database, project_id)
    finish_next(database)
    with database.transaction() as session:
        request_cancel(session, project_id, job_id)
    with reading(place.port, token, path_of(job_id)) as reader:
        reader.wait_for_end()
    assert reader.types == ["job.queued", "job.canceled"]


def test_a_session_is_followed_by_the_jobs_of_its_turns(
    place: Served, token: str, database: Database, project_id: UUID
) -> None:
    queue_job(database, project_id)
    finish_next(database)
    job_id = queue_job(database, project_id)
    with database.transaction() as session:
        row = SessionRow(project_id=project_id)
        session.add(row)
        session.flush()
        session.add(Turn(session_id=row.id, number=1, job_id=job_id))
        session_id = format_id(IdKind.SESSION, row.id)
    with reading(place.port, token, f"/v1/sessions/{session_id}/events") as reader:
        reader.wait_for(1)
        queue_job(database, project_id)
        finish_next(database)
        reader.wait_for(3)
    assert reader.types == WHOLE
    assert {event.data["job_id"] for event in reader.durable} == {public(job_id)}
    assert {event.data["session_id"] for event in reader.durable} == {session_id}


def test_nothing_of_another_project_is_shown(
    place: Served, token: str, database: Database, project_id: UUID
) -> None:
    bob = make_key(database, make_project(database, "bob"))
    job_id = queue_job(database, project_id)
    session_id = format_id(IdKind.SESSION, uuid4())
    for path in (path_of(job_id), path_of(uuid4()), f"/v1/sessions/{session_id}/events"):
        with reading(place.port, bob, path) as refused:
            assert_refused(refused, ProblemCode.NOT_FOUND, path.split("/")[2].removesuffix("s") + "_id")
    with reading(place.port, bob, "/v1/events?after=beginning") as of_bob, ExitStack() as stack:
        of_alice = stack.enter_context(reading(place.port, token, "/v1/events?after=beginning"))
        finish_next(database)
        of_alice.wait_for(3)
    assert of_bob.durable == []


def test_types_are_names_or_patterns(place: Served, token: str, database: Database, project_id: UUID) -> None:
    queue_job(database, project_id)
    job_id = finish_next(database)
    for types, expected in {
        "job.succeeded": ["job.succeeded"],
        "job.started,job.queued": WHOLE[:2],
        "job.started&types=job.failed": ["job.started"],
        "job.*": WHOLE,
        "*": WHOLE,
        "job.progress": [],
    }.items():
        with reading(place.port, token, f"{path_of(job_id)}?types={types}") as reader:
            reader.wait_for_end()
        assert reader.types == expected


@pytest.mark.parametrize(
    ("types", "hint"),
    [("job.sucseeded", "`job.succeeded`"), ("jobs.*", "`job.*`"), ("", "no event type")],
)
def test_an_unknown_type_is_answered_with_the_nearest_one(
    place: Served, token: str, types: str, hint: str
) -> None:
    with reading(place.port, token, f"/v1/events?types={types}") as reader:
        assert hint in assert_refused(reader, ProblemCode.INVALID_REQUEST, "types")


@pytest.mark.parametrize("text", ["7", "evt_abcdef_x", "evt_abcdef_1_2", "evt_abcdef_99999999999999999999"])
def test_a_malformed_event_id_is_refused(place: Served, token: str, text: str) -> None:
    with reading(place.port, token, "/v1/events", text) as by_header:
        assert_refused(by_header, ProblemCode.INVALID_REQUEST, "Last-Event-ID")
    with reading(place.port, token, f"/v1/events?after={text}") as by_query:
        assert_refused(by_query, ProblemCode.INVALID_REQUEST, "after")


def test_an_event_id_that_this_database_never_had_is_refused_clearly(place: Served, token: str) -> None:
    with reading(place.port, token, "/v1/events") as reader:
        eventually(lambda: reader.last_id, "the opening")
    assert reader.last_id is not None
    history, transaction = reader.last_id.split("_")[1:]
    for unknown in (f"evt_{history}_{int(transaction) + 10**6}", f"evt_{int(history, 16) ^ 1:06x}_1"):
        with reading(place.port, token, "/v1/events", unknown) as refused:
            assert_refused(refused, ProblemCode.EVENT_ID_UNKNOWN, "Last-Event-ID")


def test_events_that_a_restored_dump_has_numbered_are_announced_as_such(
    place: Served, token: str, database: Database, project_id: UUID
) -> None:
    queue_job(database, project_id)
    with database.transaction() as session:
        session.execute(update(JobEventRow).values(xid=10**12))
    with reading(place.port, token, "/v1/events") as refused:
        assert_refused(refused, ProblemCode.EVENTS_UNAVAILABLE)
    assert refused.headers["retry-after"]


def test_an_event_that_is_committed_while_a_stream_opens_does_not_prevent_it(
    place: Served, token: str, database: Database, project_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fixed bug: its number was above those of the moment before, as numbers of a restored dump are."""

    def read_marks_before_a_commit(session: Session) -> Marks:
        marks = read_marks(session)
        queue_job(database, project_id)
        return marks

    monkeypatch.setattr(opening, "read_marks", read_marks_before_a_commit)
    with reading(place.port, token, "/v1/events") as reader:
        assert reader.status == 200
        reader.wait_for(1)


def test_head_tells_of_a_stream_without_opening_it(place: Served, token: str) -> None:
    answer = place.exchange(request("HEAD", "/v1/events", f"Authorization: Bearer {token}"))
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


def test_progress_arrives_without_an_id(
    place: Served, token: str, database: Database, project_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "POLL_SECONDS", 0.05)
    job_id = queue_job(database, project_id)
    lease = must_claim(database).lease
    with reading(place.port, token, path_of(job_id)) as reader:
        reader.wait_for(2)
        with database.transaction() as session:
            save_progress(session, lease, Progress(Phase.GENERATING, 16, 64))
        eventually(lambda: len(reader.events) > len(reader.durable), "progress")
        with database.transaction() as session:
            succeed_job(session, lease, one_picture())
        reader.wait_for_end()
    (progress,) = [event for event in reader.events if event.id is None]
    assert (progress.type, progress.data["job_id"]) == ("job.progress", public(job_id))
    assert (progress.data["progress"]["tokens_done"], progress.data["progress"]["phase"]) == (
        16,
        "generating",
    )
