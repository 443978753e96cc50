"""Live events come with hints of the Redis-protocol server, and later without it."""

from uuid import UUID

import pytest
from pydantic import SecretStr

from infra.local.stack import EmbeddedStack
from services.api.events import feed, hints
from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.events import EventPublisher, read_hint
from shared.jobs import JobChange, JobEvent
from tests.support.factories import must_claim, queue_job
from tests.support.gateway.clients import NO_BROKER
from tests.support.gateway.event_streams import reading
from tests.support.gateway.running import make_key
from tests.support.gateway.served import Served, request, served
from tests.support.platforms.platform import eventually
from tests.support.servers.tcp_proxy import proxied

NEVER_SECONDS = 3600.0
SUBMISSION = b'{"prompt": "a red circle"}'


@pytest.fixture
def token(database: Database, project_id: UUID) -> str:
    """A key of the test's project."""
    return make_key(database, project_id)


@pytest.fixture
def unpolled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The feed reads only after a hint."""
    monkeypatch.setattr(feed, "POLL_SECONDS", NEVER_SECONDS)


def with_redis(settings: GatewayProcessSettings, url: str | None) -> GatewayProcessSettings:
    """The settings with another Redis-protocol server, or none."""
    broker = settings.broker.model_copy(update={"redis_url": url and SecretStr(url)})
    return settings.model_copy(update={"broker": broker})


def post(place: Served, token: str, path: str, body: bytes = b"") -> None:
    """POST as the project."""
    headers = (f"Authorization: Bearer {token}", "Content-Type: application/json")
    answer = place.exchange(request("POST", path, *headers, f"Content-Length: {len(body)}", body=body))
    assert answer.status < 300, answer


@pytest.mark.usefixtures("unpolled")
def test_the_gateways_own_changes_are_streamed_at_once(
    gateway_settings: GatewayProcessSettings, token: str
) -> None:
    with served(gateway_settings) as place, reading(place.port, token, "/v1/events") as reader:
        eventually(lambda: reader.last_id, "the opening")
        post(place, token, "/v1/jobs", SUBMISSION)
        (queued,) = reader.wait_for(1)
        post(place, token, f"/v1/jobs/{queued.data['job_id']}/cancel")
        reader.wait_for(2)
    assert reader.types == ["job.queued", "job.canceled"]


@pytest.mark.usefixtures("unpolled")
def test_a_workers_changes_are_streamed_at_once(
    gateway_settings: GatewayProcessSettings,
    token: str,
    database: Database,
    project_id: UUID,
    publisher: EventPublisher,
) -> None:
    job_id = queue_job(database, project_id)
    with served(gateway_settings) as place, reading(place.port, token, "/v1/events") as reader:
        eventually(lambda: reader.last_id, "the opening")
        must_claim(database)
        publisher.announce([JobChange(job_id, project_id, JobEvent.STARTED, "edit")])
        reader.wait_for(1)
    assert reader.types == ["job.started"]


@pytest.mark.parametrize("url", [None, NO_BROKER])
def test_without_a_server_the_same_events_come_later(
    gateway_settings: GatewayProcessSettings,
    token: str,
    database: Database,
    project_id: UUID,
    url: str | None,
) -> None:
    settings = with_redis(gateway_settings, url)
    with served(settings) as place, reading(place.port, token, "/v1/events") as reader:
        eventually(lambda: reader.last_id, "the opening")
        queue_job(database, project_id)
        reader.wait_for(1)
        must_claim(database)
        reader.wait_for(2)
    assert reader.types == ["job.queued", "job.started"]


@pytest.mark.usefixtures("unpolled")
def test_hints_are_heard_again_after_the_server_was_away(
    gateway_settings: GatewayProcessSettings,
    token: str,
    stack: EmbeddedStack,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A change in the meantime is read when the connection is back, even without polling."""
    monkeypatch.setattr(hints, "AGAIN_SECONDS", 0.05)
    with (
        proxied(stack.environment["REDIS_URL"]) as (proxy, url),
        served(with_redis(gateway_settings, url)) as place,
        reading(place.port, token, "/v1/events") as reader,
    ):
        eventually(lambda: reader.last_id, "the opening")
        post(place, token, "/v1/jobs", SUBMISSION)
        reader.wait_for(1)
        with proxy.refusing():
            proxy.hang_up()
            eventually(lambda: proxy.refused, "a refused connection")
            post(place, token, "/v1/jobs", SUBMISSION)
        reader.wait_for(2)
        post(place, token, "/v1/jobs", SUBMISSION)
        reader.wait_for(3)


def test_a_message_that_is_no_hint_says_only_that_something_changed() -> None:
    for data in (b"", None, b"{", b"7", b'{"project": 7}', b'{"project": "x"}'):
        hint = read_hint(data)
        assert (hint.type, hint.project_id) == (None, None)
