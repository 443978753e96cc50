"""Event streams end in ways that a client can go on from, and take no more than their share."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from uuid import UUID

import pytest
from sqlalchemy import insert

from services.api.events import event_stream, feed, subscription
from services.api.problems.codes import PROBLEMS, ProblemCode
from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.ids import IdKind, format_id
from shared.jobs import JobEvent
from shared.tables import JobEventRow
from tests.support.factories import make_project, queue_job
from tests.support.gateway.event_streams import StreamReader, reading
from tests.support.gateway.running import make_key
from tests.support.gateway.served import Served, request, served
from tests.support.platforms.platform import eventually

SMALL_BUFFER = 4096


@pytest.fixture
def token(database: Database, project_id: UUID) -> str:
    """A key of the test's project."""
    return make_key(database, project_id)


@pytest.fixture
def impatient(gateway_settings: GatewayProcessSettings) -> Iterator[Served]:
    """A gateway that disconnects clients which stop reading after a moment."""
    with served(gateway_settings, body_idle_seconds=0.3) as place:
        yield place


def open_streams(place: Served) -> int:
    """The number of open streams that the gateway reports."""
    metrics = place.exchange(request("GET", "/metrics", "Connection: close")).body.decode()
    found = re.search(r"^luminary_gateway_event_streams (\d+)", metrics, re.MULTILINE)
    assert found is not None, metrics
    return int(found[1])


def write_events(database: Database, project_id: UUID, job_id: UUID, count: int, size: int) -> None:
    """Write events of a job as if it had been interrupted so many times, with `size` bytes of data each."""
    rows = [
        {
            "job_id": job_id,
            "project_id": project_id,
            "sequence": number,
            "attempt": 1,
            "kind": JobEvent.INTERRUPTED.value,
            "data": {"reason": "x" * size},
        }
        for number in range(2, count + 2)
    ]
    with database.transaction() as session:
        session.execute(insert(JobEventRow), rows)


def assert_refused(reader: StreamReader, code: ProblemCode) -> None:
    document = json.loads(reader.body)
    assert (reader.status, document["error"]["code"]) == (PROBLEMS[code].status, code), document
    assert int(reader.headers["retry-after"]) > 0


def test_a_silent_stream_is_pinged(impatient: Served, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "PING_SECONDS", 0.05)
    with reading(impatient.port, token, "/v1/events") as reader:
        eventually(lambda: reader.comments.count("ping") >= 2, "two pings")
    assert reader.events == []


def test_a_closed_tab_frees_its_stream(impatient: Served, token: str) -> None:
    with reading(impatient.port, token, "/v1/events") as reader:
        eventually(lambda: reader.last_id, "the opening")
        assert open_streams(impatient) == 1
        reader.close()
        eventually(lambda: open_streams(impatient) == 0, "the end of the stream", 30.0)


def test_a_client_that_stops_reading_is_dropped_and_misses_nothing(
    impatient: Served, token: str, database: Database, project_id: UUID
) -> None:
    job_id = queue_job(database, project_id)
    path = f"/v1/jobs/{format_id(IdKind.JOB, job_id)}/events"
    count = 600
    with reading(impatient.port, token, path, receive_buffer=SMALL_BUFFER):
        eventually(lambda: open_streams(impatient) == 1, "the stream")
        write_events(database, project_id, job_id, count, size=20_000)
        eventually(lambda: open_streams(impatient) == 0, "the end of the stream")
    with reading(impatient.port, token, path) as first:
        first.wait_for(count // 2)
        first.close()
        first.wait_for_end()
    with reading(impatient.port, token, path, first.last_id) as second:
        second.wait_for(count + 1 - len(first.durable))
    whole = first.durable + second.durable
    assert [event.data["sequence"] for event in whole] == list(range(1, count + 2))


def test_events_that_do_not_fit_into_the_buffer_are_read_from_the_database(
    impatient: Served, token: str, database: Database, project_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "MOST_EVENTS", 2)
    monkeypatch.setattr(feed, "PAGE", 7)
    job_id = queue_job(database, project_id)
    with reading(impatient.port, token, "/v1/events?after=beginning") as reader:
        reader.wait_for(1)
        write_events(database, project_id, job_id, 50, size=10)
        reader.wait_for(51)
    assert [event.data["sequence"] for event in reader.durable] == list(range(1, 52))


def test_a_gateway_that_stops_ends_its_streams_at_once(
    gateway_settings: GatewayProcessSettings, token: str, database: Database, project_id: UUID
) -> None:
    with ExitStack() as stack:
        with served(gateway_settings) as place:
            first = stack.enter_context(reading(place.port, token, "/v1/events"))
            eventually(lambda: first.last_id, "the opening")
        first.wait_for_end()
        assert "open the stream again" in first.comments[-1]
        assert all(1000 <= retry < 3000 for retry in first.retries)
        assert len(first.retries) == 2
    queue_job(database, project_id)
    with served(gateway_settings) as other, reading(other.port, token, "/v1/events", first.last_id) as second:
        second.wait_for(1)


def test_a_stream_ends_after_its_time_so_that_its_key_is_checked_again(
    gateway_settings: GatewayProcessSettings, token: str
) -> None:
    with served(gateway_settings, stream_seconds=0.1) as place:
        with reading(place.port, token, "/v1/events") as reader:
            reader.wait_for_end()
        assert "open the stream again" in reader.comments[-1]
        assert open_streams(place) == 0


def test_streams_have_a_limit_for_each_project_and_one_for_all(
    gateway_settings: GatewayProcessSettings, token: str, database: Database
) -> None:
    bob, carol = (make_key(database, make_project(database, name)) for name in ("bob", "carol"))
    with (
        served(gateway_settings, max_streams=2, max_streams_per_project=1) as place,
        reading(place.port, token, "/v1/events") as first,
    ):
        eventually(lambda: first.last_id, "the opening")
        with reading(place.port, token, "/v1/events") as refused:
            assert_refused(refused, ProblemCode.TOO_MANY_STREAMS)
        with reading(place.port, bob, "/v1/events") as second:
            eventually(lambda: second.last_id, "the opening")
            with reading(place.port, carol, "/v1/events") as refused:
                assert_refused(refused, ProblemCode.GATEWAY_BUSY)
        eventually(lambda: open_streams(place) == 1, "the end of the second stream")
        with reading(place.port, carol, "/v1/events") as third:
            assert third.status == 200


def test_five_hundred_streams_are_open_at_once(
    gateway_settings: GatewayProcessSettings, token: str, database: Database, project_id: UUID
) -> None:
    path = request("GET", "/v1/events", f"Authorization: Bearer {token}")
    with served(gateway_settings, max_streams_per_project=500, max_requests_per_project=600) as place:
        for _ in range(500):
            place.connect().sendall(path)
        eventually(lambda: open_streams(place) == 500, "500 streams")
        with reading(place.port, token, "/v1/events") as refused:
            assert_refused(refused, ProblemCode.TOO_MANY_STREAMS)
        queue_job(database, project_id)
        for connection in place.opened[:500]:
            received = b""
            while b"job.queued" not in received:
                piece = connection.recv(4096)
                assert piece, received
                received += piece
