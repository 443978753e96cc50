"""Call OpenAI's routes of a gateway without workers: the test itself draws the jobs."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Self

import httpx2

from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.events import EventPublisher
from shared.job_errors import JobError, JobErrorCode
from shared.job_store import Answer, ClaimedJob, Output, StoredImage, UsageAmounts, fail_job, succeed_job
from shared.jobs import CHANGED_JOBS, JobChange
from shared.schemas.fields import ImageSize
from shared.storage import ObjectStorage, answer_folder
from shared.tables import WorkerRow
from shared.token_grid import TokenGrid
from tests.support.factories import claim
from tests.support.gateway.clients import png

Json = dict[str, Any]
OFFER: Json = {
    "name": "tiny",
    "default_size": "256x256",
    "largest_side": 1024,
    "tasks": ["text_to_image", "edit", "dense"],
    "sizes": {"text_to_image": ["256x256", "384x256"], "edit": ["256x256"], "dense": ["256x256"]},
}


def add_worker(database: Database, **more: Any) -> None:
    """A living worker with the model `tiny`, which claims nothing by itself."""
    with database.transaction() as session:
        session.add(
            WorkerRow(id="worker-1", queues=["generate", "edit", "dense"], slots=4, model={**OFFER, **more})
        )


FAILING = "a prompt that fails"
LOST = "a prompt that no worker survives"


class Painter:
    """Draws every job of a database in a thread, as a worker would, until the block ends."""

    def __init__(
        self,
        database: Database,
        settings: GatewayProcessSettings,
        picture: Callable[[Json, int, int], bytes] = lambda _, width, height: png(width, height),
        before: Callable[[ClaimedJob], object] = lambda _: None,
    ) -> None:
        """settings: of the gateway, whose storage and hints it uses, too.

        picture: makes a file for the request of a job, of this width and height. before: called first.
        """
        assert settings.broker.redis_url is not None
        self._database, self._storage, self._picture = database, ObjectStorage(settings.storage), picture
        self._publisher = EventPublisher(settings.broker.redis_url.get_secret_value())
        self._before = before
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.requests: list[Json] = []
        """The requests of the drawn jobs."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        self._publisher.close()

    def _run(self) -> None:
        while not self._stopped.wait(0.02):
            while (claimed := claim(self._database)) is not None:
                self._draw(claimed)

    def _draw(self, claimed: ClaimedJob) -> None:
        request = dict(claimed.request)
        self.requests.append(request)
        self._before(claimed)
        fault = {FAILING: JobErrorCode.INVALID_REQUEST, LOST: JobErrorCode.WORKER_LOST}.get(
            str(request["prompt"])
        )
        with self._database.transaction() as session:
            if fault is None:
                succeed_job(session, claimed.lease, self._answer(claimed, request))
            else:
                fail_job(session, claimed.lease, JobError(fault, "it cannot be drawn"))
            changes: Sequence[JobChange] = tuple(session.info[CHANGED_JOBS])
        self._publisher.announce(changes)

    def _answer(self, claimed: ClaimedJob, request: Json) -> Answer:
        width, height = ImageSize.parse(request["size"] or "256x256").pixels
        outputs: list[Output] = []
        for index in range(request["n"]):
            folder = answer_folder(claimed.project_id, claimed.lease.job_id, index)
            stored = self._storage.put_image(folder, self._picture(request, width, height), "image/png")
            image = StoredImage(stored.key, stored.sha256, "image/png", stored.byte_size, width, height)
            outputs.append(Output(image, TokenGrid(2, 2, (index, 2, 3, 4)), "tiny", score=0.5))
        return Answer(tuple(outputs), UsageAmounts(len(outputs), 5, 4 * len(outputs), 0.5))


def error_of(answer: httpx2.Response) -> Json:
    """The `error` object, which must have all four members and agree with the problem document."""
    body = answer.json()
    assert set(body["error"]) == {"message", "type", "param", "code"}, body
    assert (body["status"], body["detail"]) == (answer.status_code, body["error"]["message"])
    return body["error"]
