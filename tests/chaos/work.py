"""The jobs of a chaos run, with all tasks and one to eight candidates, and their reference answers."""

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.jobs import FINAL_STATES
from tests.chaos.client import BrokenGuaranteeError, Client

IN_FLIGHT = 6
"""Number of jobs that wait or run at any time: more than a worker has slots."""
CANCELED = 0.1
"""Share of jobs that are canceled."""
LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Reference:
    """A request body, and the token hashes of its pictures without faults."""

    body: dict[str, Any]
    tokens: tuple[str, ...]


@dataclass
class SubmittedJob:
    """A job of the run. ended: its last state from the API, None until it has ended."""

    reference: Reference
    job_id: str
    canceled: bool = False
    ended: dict[str, Any] | None = None


def requests(client: Client, rounds: int) -> list[dict[str, Any]]:
    """`rounds` request bodies of each kind; the given pictures are drawn and uploaded here."""
    scene = _draw(client, {"prompt": "a red star and a blue ball", "seed": 1})
    uploaded = client.upload(client.content(scene))
    depth = _draw(client, {"task": "dense", "image": uploaded, "target": "depth", "seed": 1})
    kinds: list[dict[str, Any]] = [
        {"prompt": "a green tree and a yellow house", "n": 1},
        {"prompt": "two red balls", "n": 8},
        {"prompt": "a blue star left of a red box", "n": 3},
        {"task": "image_pair", "prompt": "a red ball", "target": "depth", "n": 2},
        {"task": "subject", "prompt": "on a beach", "image": uploaded, "n": 2},
        {"task": "control", "prompt": "a red star", "image": depth, "control": "depth", "n": 2},
        {"task": "edit", "prompt": "make the star green", "image": scene, "n": 4},
        {"task": "edit", "prompt": "make the ball yellow", "image": uploaded, "n": 1},
        {"task": "dense", "image": uploaded, "target": "segmentation", "n": 2},
        {"task": "dense", "image": scene, "target": "depth", "n": 1},
    ]
    return [{**kind, "seed": 100 + index} for index in range(rounds) for kind in kinds]


def _draw(client: Client, body: dict[str, Any]) -> str:
    """Draw one picture; return its id."""
    return client.ended(client.submit(body))["outputs"][0]["id"]


def undisturbed(client: Client, bodies: Sequence[dict[str, Any]]) -> list[Reference]:
    """Draw every request without faults."""
    jobs = [client.submit(body) for body in bodies]
    answers = [client.ended(job) for job in jobs]
    assert all(answer["status"] == "succeeded" for answer in answers), answers
    return [Reference(body, token_hashes(answer)) for body, answer in zip(bodies, answers, strict=True)]


def token_hashes(job: dict[str, Any]) -> tuple[str, ...]:
    """The token hashes of all candidates, in order."""
    return tuple(output["tokens_sha256"] for output in job["outputs"])


@dataclass
class Load:
    """A thread that submits jobs, IN_FLIGHT of them at any time, until `finish` is called."""

    client: Client
    references: Sequence[Reference]
    seed: int
    jobs: list[SubmittedJob] = field(default_factory=list)
    error: BaseException | None = None

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)  # noqa: S311  (the same jobs every time)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def start(self) -> None:
        """Start submitting jobs."""
        self._thread.start()

    def finish(self) -> None:
        """Stop submitting and wait until all jobs have ended. Raises the thread's error, if there was one."""
        self._stopping.set()
        self._thread.join()
        if self.error is not None:
            raise self.error
        for job in self.jobs:
            if job.ended is None:
                job.ended = self.client.ended(job.job_id)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._update()
                while sum(job.ended is None for job in self.jobs) < IN_FLIGHT:
                    self._submit()
                self._stopping.wait(LOOK_SECONDS)
        except (BrokenGuaranteeError, KeyError, ValueError) as error:
            self.error = error

    def _submit(self) -> None:
        reference = self._dice.choice(self.references)
        job = SubmittedJob(reference, self.client.submit(reference.body))
        self.jobs.append(job)
        if self._dice.random() < CANCELED:
            job.canceled = True
            self.client.cancel(job.job_id)

    def _update(self) -> None:
        for job in self.jobs:
            if job.ended is None:
                current = self.client.job(job.job_id)
                job.ended = current if current["status"] in FINAL_STATES else None
