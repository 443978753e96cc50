"""One chaos run: draw reference answers without faults, repeat them under faults, check the results.

Jobs of all tasks, sessions, webhooks, an event stream, restores and imports take part.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.audit import leaks, misses
from tests.chaos.client import Client
from tests.chaos.faults import SERVERS, inflict, plan_faults
from tests.chaos.pausing import pause
from tests.chaos.platform import Platform, open_files
from tests.chaos.sessions import Stories, play
from tests.chaos.streams import StreamReader
from tests.chaos.verbs import PROJECT, RETENTION_SECONDS, Visits, visit
from tests.chaos.webhooks import listening
from tests.chaos.work import Load, requests, undisturbed

MAIN_PROJECT = "chaos"
SPARE_FILES = 8
"""Additional file descriptors that the supervisor may have after the run, for log rotation or a restart."""
SETTLE_SECONDS = 30.0
LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Report:
    """The result of a run. misses: a line for each broken guarantee."""

    faults: int
    jobs: int
    pictures: int
    attempts: int
    canceled: int
    retries: int
    sessions: int
    visits: int
    misses: tuple[str, ...]

    def __str__(self) -> str:
        summary = (
            f"{self.faults} faults, {self.jobs} jobs ({self.canceled} canceled), {self.pictures} pictures, "
            f"{self.attempts} attempts, {self.sessions} sessions, {self.visits} visits, "
            f"{self.retries} repeated requests, {len(self.misses)} misses"
        )
        return "\n".join((summary, *self.misses))


def chaos(
    folder: Path,
    model: Path,
    *,
    seed: int,
    faults: int,
    rounds: int = 3,
    busy: bool = True,
    report: Callable[[str], None] = print,
) -> Report:
    """Do one chaos run and return its report. Raises LostProcessError and BrokenGuaranteeError.

    rounds: number of seeds for each kind of job.
    """
    with (
        Platform(folder, model, busy=busy) as platform,
        closing(Client(platform.url, platform.make_key(MAIN_PROJECT))) as client,
        closing(Client(platform.url, client.key)) as other,
        closing(Client(platform.url, platform.make_key(PROJECT))) as visitor,
    ):
        platform.keep_results(PROJECT, RETENTION_SECONDS)
        references = undisturbed(client, requests(client, rounds))
        story, codes = play(client), visit(visitor)
        report(f"{len(references)} jobs drawn without faults; now the faults begin")
        client.retries = 0
        files = open_files(platform.supervisor_pid)
        load, stories, visits = Load(client, references, seed), Stories(other, story), Visits(visitor, codes)
        reader = StreamReader(platform.url, client.key, MAIN_PROJECT, platform.database_url)
        with listening(client) as hook:
            reader.start()
            load.start()
            stories.start()
            visits.start()
            for number, fault in enumerate(plan_faults(seed, faults), 1):
                report(f"{number:3} {fault}; {len(load.jobs)} jobs submitted")
                inflict(fault, platform.pid_of)
            load.finish()
            stories.finish()
            visits.finish()
            report("all jobs have ended; checking the results")
            found = hook.misses(platform.database_url, load.jobs)
        found += stories.misses + visits.misses + reader.misses()
        found += misses(client, platform.database_url, load.jobs)
        found += _left_over(platform)
        found += [f"{name} is not running" for name in SERVERS if platform.pid_of(name) is None]
        if open_files(platform.supervisor_pid) > files + SPARE_FILES:
            found.append(
                f"the supervisor has {open_files(platform.supervisor_pid)} files open, before {files}"
            )
        ended = [job.ended for job in load.jobs if job.ended is not None]
        return Report(
            faults=faults,
            jobs=len(ended),
            pictures=sum(len(job["outputs"]) for job in ended),
            attempts=sum(job["attempt"] for job in ended),
            canceled=sum(job["status"] == "canceled" for job in ended),
            retries=client.retries + other.retries + visitor.retries,
            sessions=stories.played,
            visits=visits.made,
            misses=tuple(found),
        )


def _left_over(platform: Platform) -> list[str]:
    """Leaks that remain after the periodic sweeps had time to remove them."""
    found: list[str] = []
    for _ in range(int(SETTLE_SECONDS / LOOK_SECONDS)):
        found = list(leaks(platform.database_url, platform.storage))
        if not found:
            break
        pause(LOOK_SECONDS)
    return found
