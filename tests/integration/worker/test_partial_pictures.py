"""Partial pictures on a stream while a worker draws, and that they change nothing of what is drawn."""

import base64
import io
from dataclasses import replace

from PIL import Image as Picture
from pydantic import SecretStr

from services.api.settings import GatewayProcessSettings, GatewaySettings
from shared.ids import IdKind, format_id
from shared.jobs import JobState
from tests.support.gateway.clients import NO_BROKER
from tests.support.gateway.event_streams import Arrived, reading
from tests.support.gateway.running import make_key
from tests.support.gateway.served import served
from tests.support.platforms.platform import PlatformUnderTest

LONG = {"size": "256x256", "seed": 11}
ROWS = 32


def gateway_of(platform: PlatformUnderTest) -> GatewayProcessSettings:
    """Settings of a gateway for the platform's servers."""
    settings = platform.settings
    return GatewayProcessSettings(
        database=settings.database,
        broker=settings.broker,
        storage=settings.storage,
        jobs=settings.jobs,
        gateway=GatewaySettings(),
    )


def partials_of(events: list[Arrived]) -> list[Arrived]:
    return [event for event in events if event.type == "job.partial"]


def test_partial_pictures_grow_while_a_job_is_drawn_and_change_nothing_of_it(
    platform: PlatformUnderTest,
) -> None:
    token = make_key(platform.database, platform.project_id)
    with served(gateway_of(platform)) as place, platform.working():
        job_id = platform.ask(**LONG)
        path = f"/v1/jobs/{format_id(IdKind.JOB, job_id)}/events"
        with (
            reading(place.port, token, f"{path}?partials=all") as watching,
            reading(place.port, token, path) as uninterested,
            reading(place.port, token, "/v1/events?after=beginning&partials=few") as project,
        ):
            job = platform.finished(job_id)
            watching.wait_for_end()
            uninterested.wait_for_end()
            project.wait_for(3)
        unwatched = platform.ask(**LONG)
        platform.finished(unwatched)

    assert job.state == JobState.SUCCEEDED
    partials = partials_of(watching.events)
    assert len(partials) >= 2
    rows = [partial.data["rows_done"] for partial in partials]
    assert rows == sorted(set(rows))
    assert rows[-1] <= ROWS
    for partial in partials:
        assert partial.id is None
        assert (partial.data["rows_total"], partial.data["index"]) == (ROWS, 0)
        picture = Picture.open(io.BytesIO(base64.b64decode(partial.data["picture"])))
        picture.load()
        assert (picture.format, picture.size) == ("PNG", (256, 256))
        undrawn = picture.crop((0, 8 * partial.data["rows_done"], 256, 256))
        assert undrawn.height == 0 or undrawn.getcolors() == [(256 * undrawn.height, (128, 128, 128))]
    assert partials_of(uninterested.events) == []
    assert len(partials_of(project.events)) <= len(partials)
    assert platform.outputs(job_id)[0].image.sha256 == platform.outputs(unwatched)[0].image.sha256


def test_a_worker_without_a_redis_protocol_server_makes_none_and_draws_the_same(
    platform: PlatformUnderTest,
) -> None:
    token = make_key(platform.database, platform.project_id)
    cut_off = platform.settings.broker.model_copy(update={"redis_url": SecretStr(NO_BROKER)})
    worker = replace(platform, settings=platform.settings.model_copy(update={"broker": cut_off}))
    with served(gateway_of(platform)) as place, worker.working():
        job_id = platform.ask(seed=11)
        path = f"/v1/jobs/{format_id(IdKind.JOB, job_id)}/events?partials=all"
        with reading(place.port, token, path) as reader:
            reader.wait_for_end()
    assert reader.types == ["job.queued", "job.started", "job.succeeded"]
    assert partials_of(reader.events) == []
