"""The engine's guarantees for requests: order, memory, cancel, streams, passes."""

from dataclasses import replace
from threading import Thread

import pytest

from services.worker.engine.engine import Engine, EngineOptions
from services.worker.engine.errors import CapacityError, EngineError, GrammarError
from services.worker.engine.handle import Handle
from services.worker.engine.layout.image_grammar import ImageGrammar
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.layout.prompts import PictureRequest
from services.worker.engine.loading.load import LoadedModel
from services.worker.engine.model.kv_cache import BLOCK_TOKENS
from services.worker.engine.request import GenerationRequest, Status
from services.worker.engine.sampling.filters import SamplingParameters
from shared.tasks import Task
from tests.support.models.drawing_requests import SMALL, infinite_logits, plan_for, request_for, run_all
from tests.support.models.free_cache import free_tokens
from tests.support.models.variations import Models

ROOMY = EngineOptions(kv_cache_tokens=16_384)
TIGHT = EngineOptions(kv_cache_tokens=2 * BLOCK_TOKENS)
"""Room for the two streams of one small picture."""


def test_a_canceled_picture_frees_its_cache_before_the_next_pass(models: Models):
    engine = Engine(models(), TIGHT)
    first, second = (engine.submit(request_for(models(), seed=seed)) for seed in range(2))
    engine.step()
    assert (first.status, second.status) == (Status.RUNNING, Status.WAITING)
    first.cancel()
    engine.step()
    assert first.status is Status.CANCELED
    assert 0 < first.progress.tokens_done < 32
    assert second.progress.tokens_done > 0
    engine.run_until_idle()
    assert second.status is Status.FINISHED
    assert free_tokens(engine.cache.allocator) == engine.cache.allocator.capacity


def test_a_canceled_picture_keeps_its_codes_and_can_be_resumed(models: Models):
    request = request_for(models(), seed=4)
    (whole,) = run_all(models(), [request])
    engine = Engine(models(), ROOMY)
    handle = engine.submit(request)
    for _ in range(3):
        engine.step()
    handle.cancel()
    engine.run_until_idle()
    assert handle.codes == whole.codes[: len(handle.codes)]
    (resumed,) = run_all(models(), [replace(request, resume_codes=handle.codes)])
    assert resumed.codes == whole.codes
    assert handle.certainties + resumed.certainties == whole.certainties
    assert max(whole.certainties) < 0


def test_a_waiting_request_can_be_canceled(models: Models):
    engine = Engine(models(), TIGHT)
    handles = [engine.submit(request_for(models(), seed=seed)) for seed in range(3)]
    handles[1].cancel()
    engine.run_until_idle()
    assert [handle.status for handle in handles] == [Status.FINISHED, Status.CANCELED, Status.FINISHED]


def test_requests_start_in_the_order_of_their_arrival_as_memory_allows(models: Models):
    engine = Engine(models(), EngineOptions(kv_cache_tokens=4 * BLOCK_TOKENS))
    large = request_for(models(), size=PictureSize(96, 96), prompt="a red boat " * 20)
    handles = [engine.submit(request) for request in (request_for(models()), large, request_for(models()))]
    engine.step()
    # the third would fit next to the first, but it came after the second, which does not fit
    waiting = [handle.status for handle in handles]
    assert waiting == [Status.RUNNING, Status.WAITING, Status.WAITING] or handles[0].ended
    engine.run_until_idle()
    assert [handle.status for handle in handles] == [Status.FINISHED] * 3


def test_no_more_pictures_run_than_allowed(models: Models):
    engine = Engine(models(), replace(ROOMY, max_sequences=2))
    for seed in range(5):
        engine.submit(request_for(models(), seed=seed))
    while engine.step():
        assert len(engine.scheduler.running) <= 2


def test_a_request_that_can_never_fit_is_refused_with_numbers(models: Models):
    engine = Engine(models(), TIGHT)
    with pytest.raises(CapacityError, match=r"needs 1024 tokens of KV cache, the whole KV cache has 512"):
        engine.submit(request_for(models(), size=PictureSize(128, 128)))
    assert not engine.step()


def test_requests_refused_at_submission_leave_nothing_behind(models: Models):
    engine = Engine(models(), ROOMY)
    with pytest.raises(GrammarError, match="resume_codes has 33 codes for 32 free cells"):
        engine.submit(request_for(models(), resume_codes=(0,) * 33))
    with pytest.raises(GrammarError, match="image code 999"):
        engine.submit(request_for(models(), resume_codes=(999,)))
    assert not engine.wait_for_work(timeout=0)


def test_a_request_resumed_at_its_end_is_finished_at_once(models: Models):
    (whole,) = run_all(models(), [request_for(models())])
    handle = Engine(models(), ROOMY).submit(request_for(models(), resume_codes=whole.codes))
    assert handle.status is Status.FINISHED
    assert handle.result_codes() == whole.result_codes()


@pytest.mark.parametrize("task", list(Task))
def test_forced_tokens_cost_no_pass(models: Models, task: Task):
    (handle,) = run_all(models(), [request_for(models(), task, speculative=False)])
    assert handle.progress.forward_passes == handle.progress.tokens_total == 32


def test_a_long_prefill_is_split_into_passes_of_the_allowed_rows(models: Models):
    options = replace(ROOMY, max_rows=16)
    request = request_for(models(), prompt="a small red boat on calm water " * 12, speculative=False)
    (handle,) = run_all(models(), [request], options)
    (unhurried,) = run_all(models(), [request], ROOMY)
    prompt_rows = len(request.plan.tokens) - 40  # more rows than two passes have
    assert handle.progress.forward_passes >= 32 + prompt_rows // 16
    assert handle.codes == unhurried.codes


@pytest.mark.parametrize("window", [None, 7, 63])
def test_no_pass_has_more_rows_than_allowed(models: Models, window: int | None):
    engine = Engine(models(), replace(ROOMY, max_rows=32, window=window))
    for seed in range(6):
        engine.submit(request_for(models(), seed=seed))
    while works := engine.scheduler.schedule():
        assert sum(work.rows for work in works) <= 32
        engine.step()


def test_kept_cells_are_neither_drawn_nor_changed(models: Models):
    codes = tuple(range(32))
    mask = tuple(cell % 3 != 1 for cell in range(32))
    kept = tuple(code if keep else None for keep, code in zip(mask, codes, strict=True))
    plan = plan_for(models(), kept=kept)
    (handle,) = run_all(models(), [GenerationRequest(plan, SamplingParameters())])
    assert handle.progress.tokens_total == mask.count(False)
    result = handle.result_codes()
    assert [result[cell] for cell in range(32) if mask[cell]] == [c for c in codes if mask[c]]


@pytest.mark.parametrize("task", list(Task))
def test_every_finished_sequence_obeys_the_grammar(models: Models, task: Task):
    (handle,) = run_all(models(), [request_for(models(), task, seed=2)])
    plan = handle.finished_plan
    drawn = iter(handle.codes)
    tokens = [plan.vocabulary.token_of_code(next(drawn)) if t is None else t for t in plan.tokens]
    ImageGrammar(plan.vocabulary).read(tokens[plan.image_start :])
    assert len(handle.result_codes()) == 32
    assert handle.whole_codes()[-32:] == handle.result_codes()


def test_only_guided_pictures_have_a_score(models: Models):
    guided, free = run_all(
        models(), [request_for(models(), guidance_scale=4.0), request_for(models(), guidance_scale=1.0)]
    )
    assert guided.progress.score != 0
    assert free.progress.score == 0


def test_chunks_stream_to_another_thread_until_the_end(models: Models):
    engine = Engine(models(), ROOMY)
    handle = engine.submit(request_for(models()))
    heard: list[tuple[int, ...]] = []
    listener = Thread(target=lambda: heard.extend(handle.chunks()))
    listener.start()
    engine.run_until_idle()
    listener.join()
    assert sum(heard, ()) == handle.codes
    assert len(heard) == handle.progress.forward_passes


def test_the_stream_of_a_resumed_request_has_only_what_is_new(models: Models):
    (whole,) = run_all(models(), [request_for(models())])
    (resumed,) = run_all(models(), [request_for(models(), resume_codes=whole.codes[:20])])
    assert sum(resumed.chunks(), ()) == whole.codes[20:]


def test_a_canceled_request_ends_its_stream(models: Models):
    engine = Engine(models(), ROOMY)
    handle = engine.submit(request_for(models()))
    handle.cancel()
    engine.step()
    assert list(handle.chunks()) == []
    with pytest.raises(EngineError, match="the request is canceled"):
        handle.result_codes()


def test_a_failed_pass_ends_its_own_requests_with_the_error_and_the_engine_goes_on(
    own_model: LoadedModel,
) -> None:
    engine = Engine(own_model, TIGHT)
    failing, waiting = (engine.submit(request_for(own_model, seed=seed)) for seed in range(2))
    engine.step()
    drawn = failing.codes
    with infinite_logits(own_model):
        assert engine.step()
    assert (failing.status, failing.codes) == (Status.FAILED, drawn)
    for wait in (lambda: list(failing.chunks()), failing.result_codes, failing.whole_codes):
        with pytest.raises(EngineError, match="no token can be drawn") as raised:
            wait()
        assert raised.value is failing.error
    engine.run_until_idle()
    (alone,) = run_all(own_model, [request_for(own_model, seed=1)])
    assert (waiting.status, waiting.error, waiting.codes) == (Status.FINISHED, None, alone.codes)
    assert free_tokens(engine.cache.allocator) == engine.cache.allocator.capacity


def test_other_threads_submit_while_one_steps(models: Models):
    loaded = models()
    engine = Engine(loaded, ROOMY)
    handles: dict[int, Handle] = {}

    def submit(thread: int) -> None:
        for seed in range(thread * 5, thread * 5 + 5):
            handles[seed] = engine.submit(request_for(loaded, seed=seed))

    threads = [Thread(target=submit, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    while engine.step() or any(thread.is_alive() for thread in threads):
        pass
    for thread in threads:
        thread.join()
    engine.run_until_idle()
    alone = run_all(loaded, [request_for(loaded, seed=seed) for seed in range(20)])
    assert [handles[seed].codes for seed in range(20)] == [handle.codes for handle in alone]


def test_a_waiting_engine_wakes_when_a_request_arrives(models: Models):
    engine = Engine(models(), ROOMY)
    assert not engine.wait_for_work(timeout=0)
    woken: list[bool] = []
    waiter = Thread(target=lambda: woken.append(engine.wait_for_work(timeout=60)))
    waiter.start()
    engine.submit(request_for(models()))
    waiter.join()
    assert woken == [True]


def test_an_edit_of_a_result_takes_its_codes_as_they_are(models: Models):
    loaded = models()
    (first,) = run_all(loaded, [request_for(loaded)])
    given = first.result_codes()
    request = PictureRequest(Task.EDIT, "make it blue", SMALL, given_codes=given)
    from services.worker.engine.layout.sequence_plan import plan_sequence

    plan = plan_sequence(loaded.vocabulary, loaded.text_tokenizer, request)
    (second,) = run_all(loaded, [GenerationRequest(plan, SamplingParameters())])
    assert second.whole_codes()[:32] == given
