"""Draw the candidates of one job with the engine, and follow their progress."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from services.worker.engine.handle import Handle
from services.worker.engine.layout.sequence_plan import SequencePlan
from services.worker.engine.request import GenerationRequest, Status
from services.worker.engine.sampling.filters import SamplingParameters
from services.worker.job.certainty import pack
from services.worker.job.effort import Effort
from services.worker.job.time_left import CandidateWork, Rate, TimeLeft
from services.worker.job.token_checkpoint import CandidateTokens, TokenCheckpoint
from services.worker.model.engine_host import EngineHost
from shared.job_store import Progress
from shared.jobs import Phase
from shared.token_grid import TokenGrid


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the codes of a job's pictures. sha256: see `recipe_of`.

    keep: number of candidates with the highest scores that are kept; None to keep all, in their order.
    """

    plan: SequencePlan
    sampling: SamplingParameters
    candidates: int
    sha256: bytes
    keep: int | None = None

    @property
    def kept(self) -> int:
        """Number of candidates that become pictures."""
        return self.candidates if self.keep is None else self.keep


class Drawing:
    """Starts all candidates, from saved codes if there are any, and reports their progress."""

    def __init__(
        self, host: EngineHost, recipe: Recipe, saved: TokenCheckpoint | None, on_end: Callable[[], None]
    ) -> None:
        """Submit the candidates to the engine. Raises CapacityError.

        saved: checkpoint of an attempt with the same recipe. on_end: called when a candidate has ended.
        """
        self.recipe = recipe
        self._before = saved.candidates if saved else (CandidateTokens(),) * recipe.candidates
        self._seconds_before = saved.compute_seconds if saved else 0.0
        self._started = time.monotonic()
        self._handles: list[Handle | None] = []
        """One per candidate; None if its codes were all drawn by an earlier attempt."""
        guided = recipe.sampling.guidance_scale != 1.0
        self._effort = Effort(host.loaded, recipe.plan, guided=guided)
        self._time_left = TimeLeft(host.passes_per_second(recipe.candidates * (2 if guided else 1)))
        self._speed = Rate()
        self._measured = self._started, 0
        first = GenerationRequest(recipe.plan, recipe.sampling)
        for index, before in enumerate(self._before):
            if len(before.codes) == len(recipe.plan.free_positions):
                self._handles.append(None)
                continue
            request = replace(first, image=index, resume_codes=before.codes)
            self._handles.append(host.submit(request, on_end))

    @property
    def ended(self) -> bool:
        """Whether all candidates have ended, or one has failed."""
        handles = self._running
        return all(handle.ended for handle in handles) or any(handle.error for handle in handles)

    @property
    def _running(self) -> list[Handle]:
        return [handle for handle in self._handles if handle is not None]

    @property
    def tokens_total(self) -> int:
        """Number of codes of all candidates together."""
        return len(self.recipe.plan.free_positions) * self.recipe.candidates

    @property
    def compute_seconds(self) -> float:
        """Drawing time in seconds of this attempt and of those before it."""
        return self._seconds_before + time.monotonic() - self._started

    @property
    def forward_passes(self) -> int:
        """Number of forward passes of this attempt, over all candidates."""
        return sum(handle.progress.forward_passes for handle in self._running)

    @property
    def fresh_codes(self) -> int:
        """Number of codes that this attempt has drawn."""
        return self.tokens_done - sum(len(before.codes) for before in self._before)

    def progress(self, phase: Phase | None = None) -> Progress:
        """The progress of the drawing, with an estimate of the time left.

        phase: replaces the engine's phase: `waiting_for_room` until the engine has begun with a candidate,
        `prefill` until the first new code, then `generating`.
        """
        handles = [handle.progress for handle in self._running]
        read = sum(progress.prefill_rows_done for progress in handles)
        rows = sum(progress.prefill_rows for progress in handles)
        self._measure(time.monotonic())
        return Progress(
            phase or self._phase(is_reading=read < rows),
            self.tokens_done,
            self.tokens_total,
            self._speed.per_second(),
            read,
            rows,
            self._time_left.seconds(),
        )

    def _phase(self, *, is_reading: bool) -> Phase:
        handles = self._running
        if handles and all(handle.status is Status.WAITING for handle in handles):
            return Phase.WAITING_FOR_ROOM
        return Phase.PREFILL if is_reading and not self.fresh_codes else Phase.GENERATING

    def _measure(self, now: float) -> None:
        self._time_left.observe(now, [self._work(*pair) for pair in self._candidates])
        since, counted = self._measured
        fresh = self.fresh_codes
        if fresh and now > since:
            self._speed.add(now - since, fresh - counted)
        self._measured = now, fresh

    @property
    def _candidates(self) -> list[tuple[CandidateTokens, Handle | None]]:
        return list(zip(self._before, self._handles, strict=True))

    def _work(self, before: CandidateTokens, handle: Handle | None) -> CandidateWork:
        """Done and total work of a candidate in this attempt, see `Effort`."""
        resumed = len(before.codes)
        if handle is None:
            return CandidateWork(0.0, 0.0, 0.0, 0.0)
        progress, effort = handle.progress, self._effort
        return CandidateWork(
            effort.prefill(progress.prefill_rows_done, resumed),
            effort.prefill(progress.prefill_rows, resumed),
            effort.codes(progress.tokens_done) - effort.codes(resumed),
            effort.codes(len(self.recipe.plan.free_positions)) - effort.codes(resumed),
        )

    @property
    def tokens_done(self) -> int:
        """Number of codes drawn so far, with those of earlier attempts."""
        return sum(
            len(before.codes) if handle is None else handle.progress.tokens_done
            for before, handle in zip(self._before, self._handles, strict=True)
        )

    def checkpoint(self) -> TokenCheckpoint:
        """A checkpoint of all codes drawn so far."""
        return TokenCheckpoint(self.recipe.sha256, self.compute_seconds, self.candidates())

    def candidates(self) -> tuple[CandidateTokens, ...]:
        """Codes and score of each candidate, which match although the engine continues to draw."""
        return tuple(
            before if handle is None else drawn_tokens(handle, before)
            for before, handle in zip(self._before, self._handles, strict=True)
        )

    def kept(self) -> list[int]:
        """Indices of the candidates to keep, best first: more codes, then a higher score, then the order."""
        if self.recipe.keep is None:
            return list(range(self.recipe.candidates))
        drawn = self.candidates()
        ranked = sorted(range(len(drawn)), key=lambda index: (-len(drawn[index].codes), -drawn[index].score))
        return ranked[: self.recipe.keep]

    def cancel(self) -> None:
        """Ask the engine to stop these candidates after the current step."""
        for handle in self._running:
            handle.cancel()

    def raise_failure(self) -> None:
        """Raise the error of the first candidate that failed, if one did."""
        for handle in self._running:
            handle.raise_failure()


def drawn_tokens(handle: Handle, before: CandidateTokens) -> CandidateTokens:
    """Codes, score and certainties of a handle, with those of earlier attempts."""
    # read once: the engine replaces `progress` after it has added the codes that it counts
    progress = handle.progress
    fresh = handle.certainties[: progress.tokens_done - len(before.codes)]
    return CandidateTokens(
        handle.codes[: progress.tokens_done], before.score + progress.score, before.certainty + pack(fresh)
    )


def drawn_rows(plan: SequencePlan, codes: tuple[int, ...]) -> TokenGrid | None:
    """The complete rows at the top of the result; None if not even the first row is complete.

    codes: codes of the plan's free positions in order; the last ones may be missing.
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
