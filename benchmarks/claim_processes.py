"""Processes that claim jobs: as fast as they can, or as the slots of workers do."""

import multiprocessing
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import Any

from shared.database import Database
from shared.job_store import Answer, ClaimedJob, UsageAmounts, claim_next_job, succeed_job
from shared.jobs import Queue
from shared.settings import DatabaseSettings

LEASE_SECONDS = 3600.0
NO_ANSWER = Answer((), UsageAmounts(images=0, prompt_tokens=5, tokens_done=148, compute_seconds=0.5))


@dataclass(frozen=True)
class Share:
    """The part of one process in a round."""

    threads: int
    claims: int
    """Claims of each thread."""
    drawing_seconds: float | None = None
    """Mean time from a claim to the job's end; None to claim without a pause and never end a job."""


@dataclass(frozen=True)
class Times:
    """What one process measured: begin and end by the monotonic clock of the machine, and each claim."""

    begin: float
    end: float
    seconds: list[float]


@dataclass
class Process:
    """The database and the barrier of a process."""

    database: Database
    barrier: Barrier


OWN: list[Process] = []


def set_up(url: str, barrier: Barrier) -> None:
    """Connect to the database; runs once in each process."""
    settings = DatabaseSettings.model_validate({"url": url, "pool_size": 20})
    OWN.append(Process(Database(settings), barrier))


def claim_once(database: Database, worker: str) -> tuple[ClaimedJob, float]:
    """Claim a job as a worker's slot does; returns it and the seconds. Fails if none waits."""
    started = time.perf_counter()
    with database.transaction() as session:
        claimed = claim_next_job(session, tuple(Queue), worker, LEASE_SECONDS, model="tiny", numerics="bf16")
    seconds = time.perf_counter() - started
    assert claimed is not None, "no job waits"
    return claimed, seconds


def run_share(share: Share) -> Times:
    """Run all threads of one process, after every process is ready."""
    own = OWN[0]

    def serve(number: int) -> list[float]:
        dice = random.Random(number)  # noqa: S311  (only spreads the work)
        pause = share.drawing_seconds
        seconds: list[float] = []
        if pause is not None:
            time.sleep(dice.uniform(0.0, pause))
        for _ in range(share.claims):
            claimed, took = claim_once(own.database, f"worker-{number}")
            seconds.append(took)
            if pause is not None:
                time.sleep(dice.uniform(0.5, 1.5) * pause)
                with own.database.transaction() as session:
                    succeed_job(session, claimed.lease, NO_ANSWER)
        return seconds

    with ThreadPoolExecutor(share.threads) as threads:
        list(threads.map(lambda _: warm_up(own.database), range(share.threads)))
        own.barrier.wait()
        begin = time.monotonic()
        taken = list(threads.map(serve, range(share.threads)))
        end = time.monotonic()
    return Times(begin, end, [one for each in taken for one in each])


def warm_up(database: Database) -> None:
    """Open a connection, and compile the statement and its plans, in a transaction that changes nothing."""
    for _ in range(6):
        with database.transaction() as session:
            claim_next_job(session, tuple(Queue), "worker", LEASE_SECONDS, model="tiny", numerics="bf16")
            session.rollback()


class Processes:
    """A fixed number of processes that run rounds together."""

    def __init__(self, count: int, url: str) -> None:
        self.count = count
        context = multiprocessing.get_context("spawn")
        barrier = context.Barrier(count)
        self._pool = context.Pool(count, set_up, (url, barrier))

    def run(self, share: Share) -> Times:
        """Run the share in every process; begin is the earliest, end the latest."""
        all_times = self._pool.map(run_share, [share] * self.count, chunksize=1)
        return Times(
            min(times.begin for times in all_times),
            max(times.end for times in all_times),
            sorted(one for times in all_times for one in times.seconds),
        )

    def close(self) -> None:
        """End the processes."""
        self._pool.close()
        self._pool.join()


def milliseconds_of(call: Callable[[], Any], times: int) -> list[float]:
    """The milliseconds of each call, sorted."""
    taken: list[float] = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        taken.append(1000 * (time.perf_counter() - started))
    return sorted(taken)


def quantile(ordered: Sequence[float], part: float) -> float:
    """The value below which this part of the sorted values lies."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
