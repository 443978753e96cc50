"""What an attempt saves while it draws, and which saved progress a later attempt may use."""

from dataclasses import replace

import pytest
from sqlalchemy.exc import OperationalError

from services.worker.claiming.attempts import Attempt, AttemptStoppedError, StopReason
from services.worker.engine.loading.load import LoadedModel
from services.worker.job.candidates import Drawing
from services.worker.job.progress import JobLog
from services.worker.job.run import usable_checkpoint
from services.worker.job.steps import Step, StepTimes
from services.worker.job.token_checkpoint import CandidateTokens, TokenCheckpoint
from shared.jobs import Phase
from tests.support.claimed_jobs import claimed_job, database_is_away
from tests.support.job_runs import NUMERICS, Bench


class Drawn:
    """An attempt that draws, pass by pass, and its log."""

    def __init__(self, loaded: LoadedModel) -> None:
        self.bench = Bench(loaded)
        self.attempt = Attempt(claimed_job(attempt=3))
        self.bench.row.lease = self.attempt.lease
        self.log = JobLog(self.bench.row, self.bench.tools.publish, self.attempt, NUMERICS)
        self.drawing = Drawing(self.bench.host, self.bench.prepared().recipe, None, self.attempt.wake)

    def save(self) -> bool:
        """Save; whether codes were saved too."""
        self.log.save(self.drawing, 0.0)
        assert self.bench.row.progress is not None
        return self.bench.row.progress.checkpoint is not None


@pytest.fixture
def drawn(loaded: LoadedModel) -> Drawn:
    return Drawn(loaded)


def test_codes_are_saved_when_there_are_new_ones_and_progress_always(drawn: Drawn) -> None:
    assert not drawn.save()
    drawn.bench.draw(passes=10)
    assert drawn.save()
    assert drawn.bench.row.codes == drawn.drawing.tokens_done > 0
    assert not drawn.save()
    drawn.bench.draw(passes=1)
    assert drawn.save()
    assert drawn.bench.journal.events == ["save"] * 4


def test_a_database_that_is_away_misses_progress_and_gets_the_codes_next_time(drawn: Drawn) -> None:
    drawn.bench.draw(passes=10)
    drawn.bench.journal.faults["save"] = [database_is_away()]
    drawn.log.save(drawn.drawing, 0.0)
    assert drawn.bench.row.progress is None
    assert drawn.bench.published == []
    assert drawn.save()
    drawn.attempt.check()


def test_a_lost_lease_stops_the_attempt(drawn: Drawn) -> None:
    drawn.bench.row.lease = None
    drawn.log.save(drawn.drawing, 0.0)
    with pytest.raises(AttemptStoppedError) as stopped:
        drawn.attempt.check()
    assert stopped.value.reason is StopReason.LOST
    assert drawn.bench.published == []


def test_listeners_are_told_which_attempt_is_how_far(drawn: Drawn) -> None:
    drawn.bench.draw(passes=10)
    drawn.save()
    [event] = drawn.bench.published
    assert (event["type"], event["attempt"]) == ("progress", 3)
    assert event["tokens_done"] == drawn.drawing.tokens_done


def test_the_time_left_includes_what_follows_the_drawing(drawn: Drawn) -> None:
    drawn.bench.draw(passes=30)
    drawn.save()
    drawn.bench.draw(passes=10)
    drawn.log.save(drawn.drawing, 1000.0)
    assert drawn.bench.row.progress is not None
    seconds = drawn.bench.row.progress.progress.eta_seconds
    assert seconds is not None
    assert seconds > 1000.0


def test_a_commit_saves_all_codes_and_raises_what_the_database_raises(drawn: Drawn) -> None:
    drawn.bench.draw(passes=10)
    drawn.bench.journal.faults["save"] = [database_is_away()]
    with pytest.raises(OperationalError):
        drawn.log.commit(Phase.DECODING, drawn.drawing, 7.0)
    drawn.log.commit(Phase.DECODING, drawn.drawing, 7.0)
    saved = drawn.bench.row.progress
    assert saved is not None
    assert (saved.progress.phase, saved.progress.eta_seconds) == (Phase.DECODING, 7.0)
    assert drawn.bench.row.codes == drawn.drawing.tokens_done
    assert not drawn.save()


def checkpoint_of(bench: Bench) -> TokenCheckpoint:
    codes = CandidateTokens((1, 2, 3), score=-1.0, certainty=bytes(6))
    return TokenCheckpoint(bench.prepared().recipe.sha256, 5.0, (codes,))


@pytest.mark.parametrize("numerics", [NUMERICS, None], ids=["the same numerics", "numerics not recorded"])
def test_progress_of_the_same_recipe_is_used(loaded: LoadedModel, numerics: str | None) -> None:
    bench = Bench(loaded)
    saved = checkpoint_of(bench)
    claimed = claimed_job(checkpoint=saved.to_bytes(), checkpoint_numerics=numerics)
    assert usable_checkpoint(claimed, bench.prepared(), NUMERICS) == saved


def test_progress_of_other_numerics_is_not_used(loaded: LoadedModel) -> None:
    bench = Bench(loaded)
    claimed = claimed_job(checkpoint=checkpoint_of(bench).to_bytes(), checkpoint_numerics="n2")
    assert usable_checkpoint(claimed, bench.prepared(), NUMERICS) is None


def test_progress_of_another_recipe_is_not_used(loaded: LoadedModel) -> None:
    bench = Bench(loaded)
    claimed = claimed_job(checkpoint=checkpoint_of(bench).to_bytes())
    assert usable_checkpoint(claimed, bench.prepared(seed=2), NUMERICS) is None


def test_progress_of_another_number_of_candidates_is_not_used(loaded: LoadedModel) -> None:
    bench = Bench(loaded)
    saved = checkpoint_of(bench)
    two = replace(saved, candidates=saved.candidates * 2)
    claimed = claimed_job(checkpoint=two.to_bytes())
    assert usable_checkpoint(claimed, bench.prepared(), NUMERICS) is None


@pytest.mark.parametrize("checkpoint", [None, b"", b"LTC0" + bytes(60)], ids=["none", "empty", "older"])
def test_what_is_no_checkpoint_is_not_used(loaded: LoadedModel, checkpoint: bytes | None) -> None:
    bench = Bench(loaded)
    claimed = claimed_job(checkpoint=checkpoint)
    assert usable_checkpoint(claimed, bench.prepared(), NUMERICS) is None


def test_steps_are_timed_and_one_that_is_entered_twice_adds_up() -> None:
    ticks = iter([0.0, 1.0, 3.0, 6.0, 10.0, 10.5, 11.0])
    times = StepTimes(lambda: next(ticks))
    for step in (Step.PREPARING, Step.DECODING, Step.STORING, Step.DECODING):
        times.enter(step)
    assert times.milliseconds() == {Step.PREPARING: 2000, Step.DECODING: 3500, Step.STORING: 4000}
    assert list(times.milliseconds()) == [Step.PREPARING, Step.DECODING, Step.STORING]


def test_a_job_that_the_engine_has_no_room_for_says_so(drawn: Drawn) -> None:
    """Fixed bug: it was shown as a prefill of 0 rows, however long it waited."""
    assert drawn.drawing.progress().phase is Phase.WAITING_FOR_ROOM
    drawn.bench.draw(passes=1)
    assert drawn.drawing.progress().phase in {Phase.PREFILL, Phase.GENERATING}
