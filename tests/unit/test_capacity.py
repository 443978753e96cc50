"""The roofline's sums, the simulated fleets, and the page that is made of them."""

import itertools
import json
import math
from pathlib import Path

import pytest

from benchmarks.capacity.page import page
from benchmarks.capacity.roofline import (
    BF16,
    GPUS,
    GQA,
    MHA,
    SHAPES,
    Gpu,
    Shape,
    cache_bytes_per_token,
    memory,
    most_pictures,
    pass_seconds,
    picture_seconds,
    weight_bytes,
)
from benchmarks.capacity.simulation import Fleet, Scaling, Simulation
from benchmarks.capacity.traces import Arrival, Trace, arrivals
from services.worker.engine.kernels.precision import Precision
from services.worker.engine.loading.memory_plan import model_need
from services.worker.engine.model.config import ModelConfig
from tests.support.source_tree import ROOT

GPU = {gpu.name.partition(" ")[0]: gpu for gpu in GPUS}
ENDLESS = 1e9
"""Claims a second of a database that is never the limit."""


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_the_sums_are_those_of_the_workers_memory_plan(shape: Shape) -> None:
    config = ModelConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
    )
    need = model_need(config, Precision.parse("bf16", "none"), 16_384)
    assert need.per_token == cache_bytes_per_token(shape, BF16)
    assert need.weights == pytest.approx(weight_bytes(shape, BF16), rel=0.001)


@pytest.mark.parametrize(
    ("shape", "gpu", "seconds"),
    [(MHA, "A100", 86), (MHA, "H100", 52), (MHA, "H200", 37), (GQA, "A100", 69), (GQA, "H100", 42)],
)
def test_the_floor_is_that_of_14_gb_of_weights_and_the_cache(shape: Shape, gpu: str, seconds: float) -> None:
    """Computed by hand with 14 GB of weights and the whole cache of 9,312 tokens; ours reads less weights."""
    spared = (14e9 - weight_of_a_pass(shape)) * 9216 / GPU[gpu].bandwidth
    assert picture_seconds(shape, BF16, GPU[gpu], 768) + spared == pytest.approx(seconds, rel=0.03)


def weight_of_a_pass(shape: Shape) -> float:
    endless = Gpu("", 1.0, 1.0, math.inf)
    return pass_seconds(shape, BF16, endless, 0, 1)


def test_pictures_that_fit_do_fit_and_one_more_does_not() -> None:
    for gpu in GPUS:
        count = most_pictures(GQA, BF16, 768, gpu)
        assert count == 0 or memory(GQA, BF16, 768, count) <= gpu.memory
        assert memory(GQA, BF16, 768, count + 1) > gpu.memory


def test_waits_of_one_slot_are_those_of_queueing_theory() -> None:
    """Pollaczek and Khinchin: with equal jobs and a load of 0.8, the mean wait is twice a job's time."""
    jobs = list(arrivals(Trace.STEADY, 40_000, 0.8, {1.0: 1.0}, seed=1))
    outcome = Simulation(Fleet(1, 1, ENDLESS), jobs).run()
    assert sum(outcome.waits) / len(jobs) == pytest.approx(2.0, rel=0.1)


@pytest.mark.parametrize("trace", Trace)
def test_traces_have_the_same_mean(trace: Trace) -> None:
    jobs = list(arrivals(trace, 1000, 10.0, {1.0: 0.5, 2.0: 0.5}, seed=2))
    assert len(jobs) == pytest.approx(10_000, rel=0.05)
    assert all(first.at <= second.at for first, second in itertools.pairwise(jobs))


def test_a_fleet_at_zero_starts_for_a_job_and_ends_after_it() -> None:
    scaling = Scaling(0, 4, cold_start_seconds=60.0)
    jobs = [Arrival(10.0, 1, 0, 5.0), Arrival(2000.0, 1, 0, 5.0)]
    outcome = Simulation(Fleet(0, 2, ENDLESS, scaling), jobs).run()
    for wait in outcome.waits:
        assert 60.0 <= wait <= 60.0 + scaling.interval_seconds
    assert outcome.busy_seconds == 10.0
    assert outcome.worker_seconds < 2 * (60 + scaling.stable_seconds + 3 * scaling.interval_seconds)


def test_a_slow_database_makes_a_large_fleet_wait() -> None:
    jobs = list(arrivals(Trace.STEADY, 100, 50.0, {1.0: 1.0}, seed=3))
    quick, slow = (Simulation(Fleet(100, 1, claims), jobs).run() for claims in (500.0, 40.0))
    assert quick.quantile(0.95) < 0.1
    assert slow.quantile(0.95) > 5.0


def test_the_page_is_that_of_the_committed_results() -> None:
    results = {
        name: json.loads((ROOT / "docs" / "benchmarks" / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("h100", "fleet")
    }
    written = Path(ROOT, "docs", "capacity.md").read_text(encoding="utf-8")
    assert page(results["h100"], results["fleet"]) == written, "run `python -m benchmarks.capacity`"
