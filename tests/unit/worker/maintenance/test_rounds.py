"""What each round of the io worker decides: whom it tells, which queues it rings, when it stops cleaning."""

import struct
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.worker.maintenance.rounds import IMAGE_BATCH, LEASES_UNTIL_FORGOTTEN, Rounds
from shared.job_store.removal import Removal
from shared.jobs import JobState, Queue
from shared.png_text import SIGNATURE, with_leading_text
from shared.settings import JobSettings
from shared.storage import ObjectMissingError, StorageError
from shared.tables import Job

PNG = SIGNATURE + bytes(25) + struct.pack(">I", 0) + b"IDAT" + bytes(4)
TEXT = struct.pack(">I", 2) + b"iTXt" + b"ab" + bytes(4)
SETTINGS = JobSettings(lease_seconds=30, model_wait_seconds=100, max_interruptions=4)


class Platform:
    """The rows of a platform in memory, and what the rounds do elsewhere."""

    def __init__(self, settings: JobSettings = SETTINGS) -> None:
        self.settings = settings
        self.lost: list[Job] = []
        self.overdue: list[Job] = []
        self.waiting: dict[Queue, int] = {}
        self.served: dict[str, float] = {}
        """Queues with a worker, and the seconds since its heartbeat."""
        self.silent_workers: list[float] = []
        self.retired: list[float] = []
        self.expired_images: list[str] = []
        self.claimed: list[str] = []
        self.marked: list[str] = []
        self.texts: dict[str, bytes] = {}
        self.storage_is_away = False
        self.deleted: list[str] = []
        self.published: list[tuple[UUID, str]] = []
        self.rung: list[tuple[Queue, int]] = []
        self.rounds = Rounds(self, self, self._publish, self._ring, settings)

    def reap(self, max_interruptions: int) -> Sequence[Job]:
        assert max_interruptions == self.settings.max_interruptions
        taken, self.lost = self.lost, []
        return taken

    def retire_silent_workers(self, lease_seconds: float) -> None:
        self.retired += [silent for silent in self.silent_workers if silent > lease_seconds]

    def expire_jobs(self, model_wait_seconds: float) -> Sequence[Job]:
        assert model_wait_seconds == self.settings.model_wait_seconds
        ended, self.overdue = self.overdue, []
        return ended

    def waiting_jobs(self) -> Mapping[Queue, int]:
        return self.waiting

    def served_queues(self, lease_seconds: float) -> frozenset[str]:
        return frozenset(queue for queue, silent in self.served.items() if silent < lease_seconds)

    def remove_old_rows(self, worker_seconds: float) -> None:
        self.silent_workers = [silent for silent in self.silent_workers if silent <= worker_seconds]

    def claim_expired(self, most: int) -> Sequence[Removal]:
        batch, self.expired_images = self.expired_images[:most], self.expired_images[most:]
        self.claimed += batch
        return [Removal(uuid4(), key, (f"thumbnail of {key}", key), is_drawn=True) for key in batch]

    def keep_text(self, removal: Removal, png_text: bytes) -> None:
        assert removal.storage_key not in self.deleted, "the text is kept first"
        self.texts[removal.storage_key] = png_text

    def get_start(self, key: str, size: int) -> bytes:
        if key in self.deleted:
            raise ObjectMissingError(key)
        return with_leading_text(PNG, TEXT)[:size]

    def mark_removed(self, removal: Removal) -> None:
        assert set(removal.keys) <= set(self.deleted), "the objects go first"
        self.marked.append(removal.storage_key)

    def delete(self, key: str) -> None:
        if self.storage_is_away:
            raise StorageError("no answer")
        self.deleted.append(key)

    def _publish(self, job_id: UUID, event: Mapping[str, Any]) -> bool:
        self.published.append((job_id, event["type"]))
        return True

    def _ring(self, queue: Queue, waiting: int) -> None:
        self.rung.append((queue, waiting))


def job_in(state: JobState) -> Job:
    return Job(id=uuid4(), project_id=uuid4(), state=state.value, attempt=2)


def test_listeners_hear_of_jobs_that_were_taken_back_from_lost_workers() -> None:
    platform = Platform()
    platform.lost = jobs = [job_in(JobState.QUEUED), job_in(JobState.FAILED)]
    platform.rounds.reap()
    platform.rounds.reap()
    assert platform.published == [(jobs[0].id, "queued"), (jobs[1].id, "failed")]


def test_workers_are_retired_when_their_leases_have_run_out() -> None:
    platform = Platform()
    platform.silent_workers = [SETTINGS.lease_seconds - 1, SETTINGS.lease_seconds + 1]
    platform.rounds.reap()
    assert platform.retired == [SETTINGS.lease_seconds + 1]


def test_listeners_hear_of_jobs_that_ended_by_their_deadline() -> None:
    platform = Platform()
    platform.overdue = [job_in(JobState.EXPIRED)]
    [job] = platform.overdue
    platform.rounds.expire_jobs()
    assert platform.published == [(job.id, "expired")]


def test_doorbells_ring_where_jobs_wait_and_a_worker_lives() -> None:
    platform = Platform()
    platform.waiting = {Queue.GENERATE: 3, Queue.EDIT: 1, Queue.DENSE: 2}
    platform.served = {Queue.GENERATE.value: 1.0, Queue.DENSE.value: SETTINGS.lease_seconds + 1}
    platform.rounds.ring_doorbells()
    assert platform.rung == [(Queue.GENERATE, 3)]


def test_no_doorbell_rings_for_a_queue_without_jobs() -> None:
    platform = Platform()
    platform.served = {Queue.GENERATE.value: 1.0}
    platform.rounds.ring_doorbells()
    assert platform.rung == []


@pytest.mark.parametrize("model_wait_seconds", [1, 100_000])
def test_a_silent_worker_is_forgotten_once_no_job_can_wait_for_its_like(model_wait_seconds: int) -> None:
    settings = SETTINGS.model_copy(update={"model_wait_seconds": model_wait_seconds})
    platform = Platform(settings)
    kept = max(LEASES_UNTIL_FORGOTTEN * settings.lease_seconds, model_wait_seconds)
    platform.silent_workers = [kept - 1, kept + 1]
    platform.rounds.clean()
    assert platform.silent_workers == [kept - 1]


@pytest.mark.parametrize("count", [0, 1, IMAGE_BATCH, 2 * IMAGE_BATCH + 1])
def test_one_cleaning_removes_every_expired_picture_however_many(count: int) -> None:
    platform = Platform()
    platform.expired_images = keys = [str(number) for number in range(count)]
    platform.rounds.clean()
    assert platform.deleted == [object_key for key in keys for object_key in (f"thumbnail of {key}", key)]
    assert platform.marked == keys
    assert platform.texts == dict.fromkeys(keys, TEXT)


def test_a_storage_that_is_away_ends_the_cleaning_and_leaves_the_rows_to_a_later_one() -> None:
    platform = Platform()
    platform.expired_images, platform.storage_is_away = ["key"], True
    with pytest.raises(StorageError):
        platform.rounds.clean()
    assert (platform.claimed, platform.marked) == (["key"], [])
