"""What the platform asks of the engine, and what it hears back."""

from dataclasses import dataclass
from enum import StrEnum

from services.worker.engine.open_plan import OpenPlan
from services.worker.engine.sampling import SamplingParameters
from services.worker.engine.sequence_plan import SequencePlan


@dataclass(frozen=True)
class GenerationRequest:
    """One picture to draw.

    plan: the sequence with its free places; an OpenPlan lets the model say START and the size itself, as
    the reference does.
    image: index of the picture among those of one seed; each has noise of its own.
    resume_codes: codes drawn before, in order; drawing goes on behind them, with the same result.
    speculative: verify drafts in parallel. It changes the time, never the tokens.
    text_top_k: top-k before START, only in an open plan.
    """

    plan: SequencePlan | OpenPlan
    sampling: SamplingParameters
    image: int = 0
    speculative: bool = True
    resume_codes: tuple[int, ...] = ()
    text_top_k: int = 10


class Status(StrEnum):
    """Life of a request in the engine."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    CANCELED = "canceled"
    FAILED = "failed"


@dataclass(frozen=True)
class Progress:
    """What one request has cost and brought so far."""

    codes_drawn: int
    codes_total: int
    forward_passes: int
    score: float
    """Sum of log p(conditional) - log p(unconditional) of the drawn codes, in nats; 0 without guidance."""
