"""The candidates of one job while the engine draws them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from services.worker.engine.handle import Handle
from services.worker.engine.request import GenerationRequest
from services.worker.engine.sampling import SamplingParameters
from services.worker.engine.sequence_plan import SequencePlan
from services.worker.engine_host import EngineHost
from services.worker.token_checkpoint import CandidateTokens, TokenCheckpoint
from shared.token_grid import TokenGrid


@dataclass(frozen=True)
class Recipe:
    """What decides the codes of a job's pictures; `sha256` covers all of it."""

    plan: SequencePlan
    sampling: SamplingParameters
    candidates: int
    sha256: bytes


class Drawing:
    """Starts all candidates, perhaps in the middle, and tells how far they are."""

    def __init__(
        self, host: EngineHost, recipe: Recipe, saved: TokenCheckpoint | None, on_end: Callable[[], None]
    ) -> None:
        """saved: of an attempt with the same recipe. Raises CapacityError."""
        self.recipe = recipe
        self._host = host
        self._before = saved.candidates if saved else (CandidateTokens(),) * recipe.candidates
        self._seconds_before = saved.compute_seconds if saved else 0.0
        self._started = time.monotonic()
        self._handles: list[Handle] = []
        first = GenerationRequest(recipe.plan, recipe.sampling)
        for index, before in enumerate(self._before):
            request = replace(first, image=index, resume_codes=before.codes)
            self._handles.append(host.submit(request, on_end))

    @property
    def ended(self) -> bool:
        """Whether the engine is done with every candidate."""
        return all(handle.ended for handle in self._handles)

    @property
    def tokens_total(self) -> int:
        """Codes of all candidates together."""
        return len(self.recipe.plan.free_positions) * self.recipe.candidates

    @property
    def compute_seconds(self) -> float:
        """Seconds of this attempt and of those before it."""
        return self._seconds_before + time.monotonic() - self._started

    @property
    def tokens_per_second(self) -> float | None:
        """Speed of this attempt; None before its first code."""
        fresh = self.tokens_done - sum(len(before.codes) for before in self._before)
        elapsed = time.monotonic() - self._started
        return fresh / elapsed if fresh and elapsed else None

    @property
    def tokens_done(self) -> int:
        """Codes drawn so far, those of earlier attempts included."""
        return sum(handle.progress.codes_drawn for handle in self._handles)

    def checkpoint(self) -> TokenCheckpoint:
        """Everything drawn so far."""
        return TokenCheckpoint(self.recipe.sha256, self.compute_seconds, self.candidates())

    def candidates(self) -> tuple[CandidateTokens, ...]:
        """Each candidate's codes and score; the two belong together although the engine goes on drawing."""
        return tuple(
            drawn_tokens(handle, before) for before, handle in zip(self._before, self._handles, strict=True)
        )

    def cancel(self) -> None:
        """Ask the engine to stop between two steps."""
        for handle in self._handles:
            handle.cancel()

    def raise_failure(self) -> None:
        """Raise why the engine gave a candidate up, if it did."""
        failures = [self._host.take_failure(handle) for handle in self._handles]
        for failure in failures:
            if failure is not None:
                raise failure


def drawn_tokens(handle: Handle, before: CandidateTokens) -> CandidateTokens:
    """What a handle has drawn, on top of the score that was saved before."""
    # one object, which the engine publishes after the codes that it counts
    progress = handle.progress
    return CandidateTokens(handle.codes[: progress.codes_drawn], before.score + progress.score)


def drawn_rows(plan: SequencePlan, codes: tuple[int, ...]) -> TokenGrid | None:
    """The result's leading rows that are complete with these codes; None when not even the first is.

    codes: for the plan's free positions, in order, perhaps not for all of them.
    """
    vocabulary, columns = plan.vocabulary, plan.shape.columns
    drawn = iter([vocabulary.token_of_code(code) for code in codes])
    tokens = [next(drawn, None) if token is None else token for token in plan.tokens]
    rows: list[list[int]] = []
    for row in plan.result_rows:
        start = plan.position_of(row, 0)
        cells = [token for token in tokens[start : start + columns] if token is not None]
        if len(cells) < columns:
            break
        rows.append([vocabulary.code_of_token(token) for token in cells])
    return TokenGrid.from_rows(rows) if rows else None
