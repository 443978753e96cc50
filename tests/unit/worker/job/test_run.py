"""One attempt at a job: how it ends when all goes well, when it is stopped, and when a server is away."""

import io
from collections.abc import Iterator

import pytest
from PIL import Image

from services.worker.claiming.attempts import Attempt, StopReason
from services.worker.engine.loading.load import LoadedModel
from services.worker.job.run import OUTAGE_PAUSE_SECONDS
from services.worker.tokenizer_client import (
    TokenizerFailedError,
    TokenizerRefusedError,
    TokenizerUnavailableError,
)
from shared.job_errors import JobErrorCode
from shared.job_store import LeaseLostError
from shared.storage import StorageError
from tests.support.claimed_jobs import WAIT_SECONDS, claimed_job, database_is_away
from tests.support.job_runs import CODES, NUMERICS, Bench

NOT_NOW = TokenizerUnavailableError("no answer")


@pytest.fixture
def bench(loaded: LoadedModel) -> Bench:
    """A job whose engine does not run by itself."""
    return Bench(loaded)


@pytest.fixture
def running(bench: Bench) -> Iterator[Bench]:
    """A job whose engine runs."""
    bench.host.start()
    yield bench
    bench.host.stop()


def first_attempt() -> Attempt:
    return Attempt(claimed_job())


def test_a_job_ends_with_its_picture_stored_and_its_answer_committed(running: Bench) -> None:
    running.run(first_attempt()).result(WAIT_SECONDS)
    assert running.happened() == ["prepare", "decode", "store", "succeed"]
    assert running.told() == ["progress", "succeeded"]
    answer = running.row.answer
    assert answer is not None
    assert answer.model == "tiny"
    [output] = answer.outputs
    assert not output.partial
    assert (answer.usage.images, answer.usage.tokens_done) == (1, CODES)
    with Image.open(io.BytesIO(running.bucket.objects[output.image.storage_key])) as picture:
        assert picture.size == (output.image.width, output.image.height) == (64, 64)


def test_all_codes_are_saved_before_the_first_is_decoded(running: Bench) -> None:
    running.tokenizer.may_answer.clear()
    run = running.run(first_attempt())
    assert running.tokenizer.asked.wait(WAIT_SECONDS)
    assert running.row.codes == CODES
    assert running.row.progress is not None
    assert (running.row.progress.progress.phase, running.row.progress.numerics) == ("decoding", NUMERICS)
    running.tokenizer.may_answer.set()
    run.result(WAIT_SECONDS)


def test_every_candidate_gets_a_picture_of_its_own(loaded: LoadedModel) -> None:
    bench = Bench(loaded, candidates=3)
    bench.host.start()
    bench.run(first_attempt()).result(WAIT_SECONDS)
    bench.host.stop()
    assert bench.row.answer is not None
    assert len({output.image.storage_key for output in bench.row.answer.outputs}) == 3
    assert len(bench.bucket.objects) == 3


def test_a_stopped_attempt_hands_its_codes_back_and_the_next_one_ends_the_same(
    bench: Bench, loaded: LoadedModel
) -> None:
    attempt = first_attempt()
    run = bench.run(attempt)
    bench.draw(passes=20)
    attempt.stop(StopReason.DRAIN)
    run.result(WAIT_SECONDS)
    assert bench.happened() == ["prepare", "hand back"]
    assert bench.row.handed_back == ("drain", 0.0)
    assert bench.told()[-1] == "interrupted"
    assert 0 < bench.row.codes < CODES
    assert not bench.host.engine.step(), "the engine still draws for an attempt that has ended"

    answers = []
    for checkpoint in (bench.row.checkpoint, None):
        again = Bench(loaded)
        again.host.start()
        job = claimed_job(checkpoint=checkpoint, checkpoint_numerics=NUMERICS)
        again.run(Attempt(job)).result(WAIT_SECONDS)
        again.host.stop()
        assert again.row.answer is not None
        answers.append([output.grid for output in again.row.answer.outputs])
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("reason", "event"), [(StopReason.DRAIN, "hand back"), (StopReason.CANCEL, "confirm cancel")]
)
def test_the_engine_is_free_before_a_stopped_attempt_writes(
    bench: Bench, reason: StopReason, event: str
) -> None:
    attempt = first_attempt()
    steps: list[bool] = []
    run = bench.run(attempt)
    bench.draw(passes=20)
    bench.journal.watch = lambda name: steps.append(bench.host.engine.step()) if name == event else None
    attempt.stop(reason)
    run.result(WAIT_SECONDS)
    assert steps == [False]


def test_an_attempt_that_fails_while_it_draws_leaves_nothing_in_the_engine(bench: Bench) -> None:
    run = bench.run(first_attempt())
    bench.draw(passes=5)
    bench.journal.faults["save"] = [KeyError("unforeseen")]
    run.result(WAIT_SECONDS)
    assert bench.row.error is not None
    assert not bench.host.engine.step()


def test_a_next_attempt_draws_only_what_is_missing(bench: Bench, loaded: LoadedModel) -> None:
    attempt = first_attempt()
    run = bench.run(attempt)
    bench.draw(passes=20)
    attempt.stop(StopReason.DRAIN)
    run.result(WAIT_SECONDS)
    saved = bench.row.codes

    again = Bench(loaded)
    run = again.run(Attempt(claimed_job(checkpoint=bench.row.checkpoint, checkpoint_numerics=NUMERICS)))
    assert again.host.engine.wait_for_work(WAIT_SECONDS)
    passes = 0
    while again.host.engine.step():
        passes += 1
    run.result(WAIT_SECONDS)
    # a pass or two read the prompt
    assert CODES - saved <= passes <= CODES - saved + 2


def test_an_attempt_that_is_stopped_before_it_draws_hands_back_no_codes(bench: Bench) -> None:
    attempt = first_attempt()
    attempt.stop(StopReason.DRAIN)
    bench.run(attempt).result(WAIT_SECONDS)
    assert bench.row.handed_back == ("drain", 0.0)
    assert bench.row.checkpoint is None


def test_a_canceled_attempt_keeps_its_rows_to_be_decoded_afterwards(bench: Bench) -> None:
    attempt = first_attempt()
    run = bench.run(attempt)
    bench.draw(passes=20)
    attempt.stop(StopReason.CANCEL)
    run.result(WAIT_SECONDS)
    assert bench.happened() == ["prepare", "confirm cancel", "wake late pictures"]
    assert bench.told()[-1] == "canceled"
    assert bench.row.answer is not None
    assert (bench.row.answer.outputs, bench.row.answer.model) == ((), "tiny")
    [undecoded] = bench.row.answer.undecoded
    assert (undecoded.position, undecoded.partial, undecoded.grid.width) == (0, True, 8)
    assert 1 <= undecoded.grid.height < 8
    assert not bench.host.engine.step()


def test_a_cancel_does_not_wait_for_the_picture_that_is_decoded(running: Bench) -> None:
    running.tokenizer.may_answer.clear()
    attempt = first_attempt()
    run = running.run(attempt)
    assert running.tokenizer.asked.wait(WAIT_SECONDS)
    attempt.stop(StopReason.CANCEL)
    run.result(WAIT_SECONDS)
    assert running.row.answer is not None
    assert [undecoded.partial for undecoded in running.row.answer.undecoded] == [False]


def test_a_cancel_does_not_wait_for_a_storage_that_hangs(running: Bench) -> None:
    running.bucket.may_answer.clear()
    attempt = first_attempt()
    run = running.run(attempt)
    assert running.bucket.asked.wait(WAIT_SECONDS)
    attempt.stop(StopReason.CANCEL)
    run.result(WAIT_SECONDS / 2)
    assert running.happened()[-2:] == ["confirm cancel", "wake late pictures"]
    running.bucket.may_answer.set()


def test_a_job_that_is_canceled_while_it_is_prepared_ends_at_once_without_an_answer(bench: Bench) -> None:
    bench.may_prepare.clear()
    attempt = first_attempt()
    attempt.stop(StopReason.CANCEL)
    bench.run(attempt).result(WAIT_SECONDS)
    assert bench.happened() == ["confirm cancel", "wake late pictures"]
    assert bench.row.answer is None
    bench.may_prepare.set()


def test_an_attempt_that_lost_its_lease_writes_nothing_more(bench: Bench) -> None:
    attempt = first_attempt()
    run = bench.run(attempt)
    bench.draw(passes=20)
    attempt.stop(StopReason.LOST)
    run.result(WAIT_SECONDS)
    assert bench.happened() == ["prepare"]
    assert bench.told() == ["progress"]
    assert not bench.host.engine.step()


def test_an_attempt_learns_of_its_lost_lease_from_its_own_write(bench: Bench) -> None:
    run = bench.run(first_attempt())
    bench.draw(passes=5)
    bench.row.lease = None
    run.result(WAIT_SECONDS)
    assert bench.happened() == ["prepare"]
    assert not bench.host.engine.step()


def test_a_lease_that_is_lost_at_the_last_moment_is_no_failure_of_the_job(running: Bench) -> None:
    running.journal.faults["succeed"] = [LeaseLostError()]
    running.run(first_attempt()).result(WAIT_SECONDS)
    assert running.happened() == ["prepare", "decode", "store"]
    assert running.told() == ["progress"]


@pytest.mark.parametrize("event", ["prepare", "decode"])
def test_a_tokenizer_that_is_away_for_a_moment_costs_another_try(running: Bench, event: str) -> None:
    running.journal.faults[event] = [NOT_NOW, NOT_NOW]
    running.run(first_attempt()).result(WAIT_SECONDS)
    assert running.happened() == ["prepare", "decode", "store", "succeed"]


@pytest.mark.parametrize("event", ["save", "store", "succeed"])
def test_a_storage_or_a_database_that_is_away_for_a_moment_costs_another_try(
    running: Bench, event: str
) -> None:
    running.journal.faults[event] = [StorageError("no answer") if event == "store" else database_is_away()]
    running.run(first_attempt()).result(WAIT_SECONDS)
    assert running.row.answer is not None


@pytest.mark.parametrize(
    ("event", "outage"),
    [("decode", NOT_NOW), ("store", StorageError("no answer")), ("succeed", database_is_away())],
)
def test_an_outage_that_outlasts_patience_queues_a_job_with_saved_codes_again(
    loaded: LoadedModel, event: str, outage: Exception
) -> None:
    bench = Bench(loaded, patience_seconds=0.0)
    bench.journal.faults[event] = [outage]
    bench.host.start()
    bench.run(first_attempt()).result(WAIT_SECONDS)
    bench.host.stop()
    assert bench.row.handed_back is not None
    assert bench.row.handed_back[1] == OUTAGE_PAUSE_SECONDS
    assert bench.row.codes == CODES
    assert bench.row.error is None
    assert bench.told()[-1] == "interrupted"


def test_an_outage_before_any_code_is_saved_fails_the_attempt(loaded: LoadedModel) -> None:
    bench = Bench(loaded, patience_seconds=0.0)
    bench.journal.faults["prepare"] = [NOT_NOW]
    bench.run(first_attempt()).result(WAIT_SECONDS)
    assert bench.happened() == ["fail"]
    assert bench.row.error is not None
    assert bench.row.error.code is JobErrorCode.TOKENIZER_UNAVAILABLE
    assert bench.told() == ["failed"]


def test_an_outage_does_not_fail_an_attempt_at_a_job_with_saved_codes(loaded: LoadedModel) -> None:
    bench = Bench(loaded, patience_seconds=0.0)
    bench.journal.faults["prepare"] = [NOT_NOW]
    bench.run(Attempt(claimed_job(checkpoint=b"of an earlier attempt"))).result(WAIT_SECONDS)
    assert bench.happened() == ["hand back"]
    assert bench.row.checkpoint is None, "nothing new was drawn"


def test_a_tokenizer_that_works_and_fails_at_this_picture_fails_the_attempt(loaded: LoadedModel) -> None:
    bench = Bench(loaded, patience_seconds=0.0)
    bench.journal.faults["decode"] = [TokenizerFailedError("status 500")]
    bench.host.start()
    bench.run(first_attempt()).result(WAIT_SECONDS)
    bench.host.stop()
    assert bench.row.handed_back is None
    assert bench.row.error is not None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TokenizerRefusedError("image_unreadable", "not a picture"), JobErrorCode.IMAGE_UNREADABLE),
        (KeyError("unforeseen"), JobErrorCode.INTERNAL_ERROR),
    ],
)
def test_an_error_that_does_not_pass_fails_the_attempt_at_once(
    bench: Bench, error: Exception, code: JobErrorCode
) -> None:
    bench.journal.faults["prepare"] = [error]
    bench.run(first_attempt()).result(WAIT_SECONDS)
    assert bench.happened() == ["fail"]
    assert bench.row.error is not None
    assert bench.row.error.code is code


@pytest.mark.parametrize("fault", [database_is_away(), LeaseLostError()], ids=["database away", "lease lost"])
def test_a_failure_that_cannot_be_recorded_leaves_the_job_to_its_lease(
    bench: Bench, fault: Exception
) -> None:
    bench.journal.faults = {"prepare": [KeyError("unforeseen")], "fail": [fault]}
    bench.run(first_attempt()).result(WAIT_SECONDS)
    assert bench.journal.events == []
    assert bench.published == []


@pytest.mark.parametrize("reason", [StopReason.DRAIN, StopReason.CANCEL])
def test_a_stop_that_cannot_be_written_leaves_the_job_to_its_lease(bench: Bench, reason: StopReason) -> None:
    bench.journal.faults = {"hand back": [database_is_away()], "confirm cancel": [database_is_away()]}
    attempt = first_attempt()
    attempt.stop(reason)
    bench.run(attempt).result(WAIT_SECONDS)
    assert not {"hand back", "confirm cancel", "fail", "wake late pictures"} & set(bench.happened())
    assert not {"interrupted", "canceled", "failed"} & set(bench.told())


@pytest.mark.parametrize(("checkpoint", "phases"), [(None, ["encoding"]), (b"earlier codes", [])])
def test_a_job_with_an_input_image_shows_that_it_is_encoded_unless_it_has_progress(
    bench: Bench, checkpoint: bytes | None, phases: list[str]
) -> None:
    bench.journal.faults["prepare"] = [KeyError("unforeseen")]
    bench.run(Attempt(claimed_job(request={"image": "img_1"}, checkpoint=checkpoint))).result(WAIT_SECONDS)
    assert [event["phase"] for event in bench.published if event["type"] == "progress"] == phases
