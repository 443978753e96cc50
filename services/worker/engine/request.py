"""Requests to the engine, and their status and progress."""

from dataclasses import dataclass
from enum import StrEnum

from services.worker.engine.layout.open_plan import OpenPlan
from services.worker.engine.layout.sequence_plan import SequencePlan
from services.worker.engine.sampling.filters import SamplingParameters


@dataclass(frozen=True)
class GenerationRequest:
    """One picture to draw.

    plan: the sequence with its free cells; with an OpenPlan the model draws START and the size itself, as in
    the reference.
    image: index of the picture among those of one seed; each has its own noise.
    resume_codes: codes drawn before, in order; drawing continues after them, with the same result.
    speculative: verify drafts in parallel, which saves time and never changes a token.
    text_top_k: top-k before START, in an open plan only.
    """

    plan: SequencePlan | OpenPlan
    sampling: SamplingParameters
    image: int = 0
    speculative: bool = True
    resume_codes: tuple[int, ...] = ()
    text_top_k: int = 10


class Status(StrEnum):
    """Status of a request in the engine."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    CANCELED = "canceled"
    FAILED = "failed"


@dataclass(frozen=True)
class Progress:
    """Progress of one request."""

    tokens_done: int
    tokens_total: int
    forward_passes: int
    score: float
    """Sum of log p(conditional) - log p(unconditional) of the drawn codes, in nats; 0 without guidance."""
    prefill_rows_done: int = 0
    prefill_rows: int = 0
    """Rows of all streams to compute before the first new code: the prompt and resumed codes."""
