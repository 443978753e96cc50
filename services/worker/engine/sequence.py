"""A picture that is being drawn: its settled tokens, its drafts, and the computed part of its streams.

There are no separate prefill and decode phases. In every stream some tokens are settled and some of these are
computed; a step computes more of them, and drafts extend what can be computed in one step. The idea is from
the scheduler of vLLM V1.
"""

from dataclasses import dataclass, field

from torch import Tensor

from services.worker.engine.errors import GrammarError
from services.worker.engine.layout.sequence_plan import SequencePlan
from services.worker.engine.model.kv_cache import CacheRun, run_length
from services.worker.engine.request import GenerationRequest
from services.worker.engine.window import FIRST_REACH, WINDOWS, Acceptance
from shared.noise_keys import NoiseSecret

FEW_ROWS = 16
"""A sequence that needs more rows than this to decide its next position is in prefill."""


@dataclass(frozen=True)
class Drawn:
    """Tokens that a pass has drawn, one per decided position.

    certainties: log p(conditional) of each, in nats. gains: log p(conditional) - log p(unconditional), 0
    without guidance; the sum over a picture ranks candidates by how much the prompt raised their likelihood.
    """

    tokens: list[int]
    certainties: list[float]
    gains: list[float]


@dataclass
class Stream:
    """Keys and values of a sequence: the conditional stream, or the second one of guidance.

    The second stream begins at START, or has a negative prompt before it.
    origin: position in the sequence of the stream's first token. computed: position in the sequence up to
    which its cache is valid. prefix: its own tokens from `origin` on; the others are those of the sequence.
    """

    origin: int
    run: CacheRun
    computed: int
    prefix: tuple[int, ...] = ()


@dataclass(eq=False)
class Sequence:
    """The state of one request while it runs. Positions count tokens from the begin-of-sequence token."""

    request: GenerationRequest
    plan: SequencePlan
    image_ids: range
    secret: NoiseSecret | None = None
    """Secret of the installation's noise, if it has one."""
    streams: list[Stream] = field(default_factory=list[Stream])
    drawn: int = 0
    score: float = 0.0
    certainties: list[float] = field(default_factory=list[float])
    """log p(conditional) of the codes that this run has drawn, in nats."""
    forward_passes: int = 0
    drafts: dict[int, int] = field(default_factory=dict[int, int])
    draft_logits: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    """The latest guided logits of decided positions; drafts of the row below are drawn from them."""

    def __post_init__(self) -> None:
        # drafts from a given panel are mostly right, so try wide windows from the beginning
        given = any(source is not None for source in self.plan.draft_source)
        self.acceptance = Acceptance(WINDOWS[-1] if given else FIRST_REACH)
        self.tokens = list(self.plan.tokens)
        self.free = self.plan.free_positions
        self._resume(self.request.resume_codes)
        self._prompt_end = 0 if self.finished else self.frontier

    @property
    def guided(self) -> bool:
        """Whether there is an unconditional stream. A guidance scale of 1 does not need it."""
        return self.request.sampling.guidance_scale != 1.0

    @property
    def origins(self) -> list[int]:
        """Positions at which the streams of this sequence begin."""
        return [*self.plan.origins] if self.guided else [0]

    @property
    def run_lengths(self) -> list[int]:
        """Pool tokens that each stream needs; tokens after the last free position are never computed."""
        return [run_length(self.free[-1] - origin) for origin in self.origins]

    @property
    def finished(self) -> bool:
        return self.drawn == len(self.free)

    @property
    def frontier(self) -> int:
        """Position of the first token that is not settled."""
        return self.free[self.drawn]

    @property
    def reading(self) -> bool:
        """Whether the sequence is in prefill: many rows must be computed before it can decide a position."""
        return self.rows_to(self.frontier) > FEW_ROWS

    @property
    def prefill_rows(self) -> int:
        """Number of rows that all streams compute before the first position of this run is decided."""
        return sum(max(0, self._prompt_end - origin) for origin in self.origins)

    @property
    def prefill_rows_done(self) -> int:
        """Number of computed rows among `prefill_rows`."""
        return sum(min(stream.computed, self._prompt_end) - stream.origin for stream in self.streams)

    def codes_from(self, first: int) -> tuple[int, ...]:
        """The codes drawn so far, in order, without the first `first` of them."""
        tokens = (self.tokens[position] for position in self.free[first : self.drawn])
        return tuple(token - self.image_ids.start for token in tokens if token is not None)

    def start(self, runs: list[CacheRun]) -> None:
        """Begin with empty caches, in these runs of the pool."""
        own = ((), self.plan.negative)
        self.streams = [
            Stream(origin, run, origin, prefix)
            for origin, run, prefix in zip(self.origins, runs, own, strict=False)
        ]

    def computed_to(self, ends: tuple[int, ...]) -> None:
        """Record a pass that has computed each stream up to its end."""
        self.forward_passes += 1
        for stream, end in zip(self.streams, ends, strict=True):
            stream.computed = end

    def window_positions(self, drafts: int) -> tuple[int, ...]:
        """Free positions that a pass with `drafts` drafts decides: one more than drafts."""
        return self.free[self.drawn : self.drawn + drafts + 1]

    def rows_to(self, end: int) -> int:
        """Number of rows to compute every stream up to `end`."""
        return sum(end - stream.computed for stream in self.streams)

    def token_at(self, position: int, stream: Stream) -> int:
        """The settled token at a position of a stream, or its draft."""
        if position - stream.origin < len(stream.prefix):
            return stream.prefix[position - stream.origin]
        token = self.tokens[position]
        return self.drafts[position] if token is None else token

    def settle_window(self, positions: tuple[int, ...], drawn: Drawn) -> int:
        """Settle the tokens that a pass has drawn at `positions`, up to the first that differs from its
        draft.

        Later tokens were drawn after a wrong prefix and become drafts of the next pass.
        Returns the number of settled tokens, at least one.
        """
        settled = 0
        refuted = False
        for position, token, certainty, gain in zip(
            positions, drawn.tokens, drawn.certainties, drawn.gains, strict=True
        ):
            if refuted:
                self.drafts[position] = token
                continue
            refuted = self.drafts.pop(position, token) != token
            self._settle(token)
            self.certainties.append(certainty)
            self.score += gain
            settled += 1
        end = positions[settled - 1]
        for stream in self.streams:
            stream.computed = min(stream.computed, end)
        if len(positions) > 1:
            self.acceptance.observe(settled - 1, wrong=settled < len(positions))
        self._forget_logits_above(end)
        return settled

    def _resume(self, codes: tuple[int, ...]) -> None:
        if len(codes) > len(self.free):
            raise GrammarError(f"resume_codes has {len(codes)} codes for {len(self.free)} free cells")
        for code in codes:
            self._settle(self.plan.vocabulary.token_of_code(code))

    def _settle(self, token: int) -> None:
        self.tokens[self.free[self.drawn]] = token
        self.drawn += 1

    def _forget_logits_above(self, position: int) -> None:
        oldest = position - self.plan.shape.row_length
        for known in [known for known in self.draft_logits if known < oldest]:
            del self.draft_logits[known]
