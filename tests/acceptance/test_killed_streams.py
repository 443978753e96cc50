"""Clients follow jobs while the gateway and Valkey are killed: each gets every event once, in order."""

import http.client
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit
from uuid import UUID

from shared.ids import IdKind, format_id
from tests.support.gateway.event_streams import Arrived, reading
from tests.support.gateway.running import make_key
from tests.support.platforms.installation import Installation
from tests.support.platforms.platform import PlatformUnderTest, eventually

JOBS = 6
LONG = {"size": "128x128"}
NO_CONTENT = 204


class Follower:
    """A client that reconnects after every break with the id of the last event."""

    def __init__(self, port: int, token: str, job_id: UUID) -> None:
        self._port, self._token, self._job_id = port, token, job_id
        self._last_id: str | None = None
        self.arrived: list[Arrived] = []

    def follow(self) -> None:
        """Read until the job has ended. Fails if it does not end in time."""
        eventually(self._has_ended, f"the end of the stream of {self._job_id}")

    def _has_ended(self) -> bool:
        path = f"/v1/jobs/{format_id(IdKind.JOB, self._job_id)}/events"
        try:
            with reading(self._port, self._token, path, self._last_id) as reader:
                reader.wait_for_end()
        except (OSError, http.client.HTTPException):
            return False
        self._last_id = reader.last_id or self._last_id
        self.arrived += reader.durable
        return reader.status == NO_CONTENT


def test_every_event_arrives_once_however_often_gateway_and_valkey_die(
    installation: Installation, platform: PlatformUnderTest
) -> None:
    token = make_key(platform.database, platform.project_id)
    port = urlsplit(installation.gateway_url).port
    assert port is not None
    jobs = [platform.ask(seed=seed, **LONG) for seed in range(JOBS)]
    followers = [Follower(port, token, job_id) for job_id in jobs]
    valkey = installation.server("valkey").process
    with ThreadPoolExecutor(JOBS) as threads:
        following = [threads.submit(follower.follow) for follower in followers]
        platform.started_drawing(jobs[0])
        installation.gateway.kill()
        installation.gateway.start()
        platform.finished(jobs[0])
        valkey.kill()
        platform.finished(jobs[1])
        valkey.start()
        installation.gateway.kill()
        installation.gateway.start()
        for one in following:
            one.result()
    for job_id, follower in zip(jobs, followers, strict=True):
        assert [event.type.removeprefix("job.") for event in follower.arrived] == platform.events(job_id)
        sequences = [event.data["sequence"] for event in follower.arrived]
        assert sequences == list(range(1, len(sequences) + 1))
