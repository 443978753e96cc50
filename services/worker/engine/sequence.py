"""One picture in the making: settled tokens, drafts, and how far its streams are computed.

There is no prefill phase and no decode phase. Every stream has tokens that are settled and tokens that are
computed, a step computes some of the difference, and drafts only extend what may be computed ahead. (The
idea is the scheduler's of vLLM V1.)
"""

from dataclasses import dataclass, field

from torch import Tensor

from services.worker.engine.errors import GrammarError
from services.worker.engine.kv_cache import CacheRun, run_length
from services.worker.engine.request import GenerationRequest
from services.worker.engine.sequence_plan import SequencePlan
from services.worker.engine.window import FIRST_REACH, WINDOWS, Acceptance


@dataclass
class Stream:
    """A row of keys and values: the conditional one, or the unconditional one that begins at START.

    origin: place in the sequence of the stream's first token. computed: end of the right part of its cache,
    as a place in the sequence.
    """

    origin: int
    run: CacheRun
    computed: int


@dataclass(eq=False)
class Sequence:
    """The state of one request while it runs. Positions count tokens from the begin-of-sequence token."""

    request: GenerationRequest
    plan: SequencePlan
    image_ids: range
    streams: list[Stream] = field(default_factory=list[Stream])
    drawn: int = 0
    score: float = 0.0
    forward_passes: int = 0
    drafts: dict[int, int] = field(default_factory=dict[int, int])
    draft_logits: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    """Guided logits that the model last gave at a free position: first guesses for the row below."""

    def __post_init__(self) -> None:
        # what resembles a given panel is drafted from it, and mostly right from the first window on
        given = any(source is not None for source in self.plan.draft_source)
        self.acceptance = Acceptance(WINDOWS[-1] if given else FIRST_REACH)
        self.tokens = list(self.plan.tokens)
        self.free = self.plan.free_positions
        self._resume(self.request.resume_codes)

    @property
    def guided(self) -> bool:
        """Whether there is an unconditional stream. A scale of one weighs it with nothing."""
        return self.request.sampling.guidance_scale != 1.0

    @property
    def origins(self) -> list[int]:
        """Where the streams of this sequence begin."""
        return [0, self.plan.image_start] if self.guided else [0]

    @property
    def run_lengths(self) -> list[int]:
        """Pool tokens that the streams need; the tokens behind the last free one are never computed."""
        return [run_length(self.free[-1] - origin) for origin in self.origins]

    @property
    def finished(self) -> bool:
        return self.drawn == len(self.free)

    @property
    def frontier(self) -> int:
        """Position of the first token that is not settled."""
        return self.free[self.drawn]

    def codes_from(self, first: int) -> tuple[int, ...]:
        """The codes drawn so far, in order, but for so many of the first."""
        tokens = (self.tokens[position] for position in self.free[first : self.drawn])
        return tuple(token - self.image_ids.start for token in tokens if token is not None)

    def start(self, runs: list[CacheRun]) -> None:
        """Begin with empty caches."""
        self.streams = [Stream(origin, run, origin) for origin, run in zip(self.origins, runs, strict=True)]

    def computed_to(self, ends: tuple[int, ...]) -> None:
        """Take note of a pass that has computed each stream to its end."""
        self.forward_passes += 1
        for stream, end in zip(self.streams, ends, strict=True):
            stream.computed = end

    def window_positions(self, drafts: int) -> tuple[int, ...]:
        """Free positions that a pass over `drafts` drafts decides: one more than there are drafts."""
        return self.free[self.drawn : self.drawn + drafts + 1]

    def rows_to(self, end: int) -> int:
        """Rows that computing every stream up to `end` takes."""
        return sum(end - stream.computed for stream in self.streams)

    def token_at(self, position: int) -> int:
        """The settled or drafted token at a position inside the window."""
        token = self.tokens[position]
        return self.drafts[position] if token is None else token

    def settle_window(self, positions: tuple[int, ...], tokens: list[int], gains: list[float]) -> int:
        """Take the tokens that a pass has drawn at `positions`, up to the first that refutes its draft.

        The tokens behind it were drawn after a wrong prefix: they become the drafts of the next pass.
        Returns how many were settled, at least one.
        """
        settled = 0
        refuted = False
        for position, token, gain in zip(positions, tokens, gains, strict=True):
            if refuted:
                self.drafts[position] = token
                continue
            refuted = self.drafts.pop(position, token) != token
            self._settle(token)
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
            raise GrammarError(f"{len(codes)} codes were drawn before, the picture has {len(self.free)}")
        for code in codes:
            self._settle(self.plan.vocabulary.token_of_code(code))

    def _settle(self, token: int) -> None:
        self.tokens[self.free[self.drawn]] = token
        self.drawn += 1

    def _forget_logits_above(self, position: int) -> None:
        oldest = position - self.plan.shape.row_length
        for known in [known for known in self.draft_logits if known < oldest]:
            del self.draft_logits[known]
