"""Sampling draws from the filtered softmax, independently for each row."""

from dataclasses import replace
from math import inf, nan

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from services.worker.engine.errors import EngineError, PromptError
from services.worker.engine.sampling.filters import (
    SamplingParameters,
    choose,
    filter_scores,
    keep_top_k,
    keep_top_p,
    log_probability,
    sample,
)
from services.worker.engine.sampling.noise import gumbel_noise

ROWS, TOKENS = 33, 1_000
EVERY_FILTER = pytest.mark.parametrize(
    "parameters",
    [
        SamplingParameters(),
        SamplingParameters(top_k=5),
        SamplingParameters(top_k=TOKENS),
        SamplingParameters(top_p=0.9),
        SamplingParameters(temperature=0.7),
        SamplingParameters(temperature=0),
        SamplingParameters(top_k=300, top_p=0.8, temperature=1.3),
    ],
    ids=repr,
)


def logits(rows: int = ROWS, tokens: int = TOKENS, *, seed: int = 0) -> Tensor:
    """Logits with ties, and every seventh token forbidden."""
    values = torch.randn(rows, tokens, generator=torch.Generator().manual_seed(seed)) * 3
    values = (values * 16).round() / 16
    values[:, ::7] = -inf
    return values


def noise(rows: int = ROWS, tokens: int = TOKENS) -> Tensor:
    return gumbel_noise(1, 0, range(rows), torch.arange(tokens))


def kept(scores: Tensor) -> list[int]:
    return scores[0].isfinite().nonzero().flatten().tolist()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("guidance_scale", -0.1),
        ("guidance_scale", inf),
        ("guidance_scale", nan),
        ("guidance_schedule", "linear"),
        ("top_k", 0),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("top_p", nan),
        ("temperature", -1.0),
        ("temperature", inf),
        ("temperature", 1e-9),
        ("temperature", nan),
        ("seed", 1 << 64),
        ("seed", -(1 << 63) - 1),
    ],
)
def test_a_value_outside_its_range_is_refused_by_name(field: str, value: float | str):
    with pytest.raises(PromptError, match=field):
        replace(SamplingParameters(), **{field: value})


def test_the_bounds_themselves_are_allowed():
    SamplingParameters(
        guidance_scale=0, guidance_schedule="reference", top_k=1, temperature=0, seed=2**64 - 1
    )
    SamplingParameters(seed=-(2**63), temperature=1e-6)


def test_top_k_keeps_ties_with_the_last():
    assert kept(keep_top_k(torch.tensor([[1.0, 3.0, 2.0, 2.0, 0.0]]), 2)) == [1, 2, 3]


def test_top_k_brings_no_forbidden_token_back():
    assert kept(keep_top_k(torch.tensor([[-inf, 3.0, -inf, 2.0]]), 3)) == [1, 3]


def test_top_p_keeps_the_fewest_that_hold_the_probability():
    probabilities = torch.tensor([[0.1, 0.5, 0.25, 0.15]])
    assert kept(keep_top_p(probabilities.log(), 0.45)) == [1]
    assert kept(keep_top_p(probabilities.log(), 0.7)) == [1, 2]
    assert kept(keep_top_p(probabilities.log(), 0.8)) == [1, 2, 3]


def test_top_p_keeps_ties_with_the_last():
    assert kept(keep_top_p(torch.tensor([[0.25, 0.25, 0.25, 0.25]]).log(), 0.3)) == [0, 1, 2, 3]


def test_top_p_always_leaves_the_likeliest():
    assert kept(keep_top_p(torch.tensor([[0.1, 5.0, -inf]]), 1e-9)) == [1]


def test_top_p_counts_what_top_k_and_temperature_have_left():
    probabilities = torch.tensor([[0.4, 0.3, 0.2, 0.1]])
    # among the first two, the likeliest has 0.4 / 0.7 = 0.57, and 0.64 at temperature 0.5
    assert kept(filter_scores(probabilities.log(), SamplingParameters(top_k=2, top_p=0.6))) == [0, 1]
    cold = SamplingParameters(top_k=2, top_p=0.6, temperature=0.5)
    assert kept(filter_scores(probabilities.log(), cold)) == [0]


@EVERY_FILTER
@pytest.mark.parametrize("rows", [slice(0, 1), slice(7, 8), slice(3, 20), slice(30, 33)], ids=str)
def test_a_row_does_not_depend_on_the_rows_beside_it(parameters: SamplingParameters, rows: slice):
    scores = filter_scores(logits(), parameters)
    assert torch.equal(filter_scores(logits()[rows], parameters), scores[rows])
    tokens = sample(logits(), noise(), parameters)
    assert torch.equal(sample(logits()[rows], noise()[rows], parameters), tokens[rows])
    likelihoods = log_probability(logits(), tokens)
    assert torch.equal(log_probability(logits()[rows], tokens[rows]), likelihoods[rows])


@EVERY_FILTER
def test_no_forbidden_token_is_drawn(parameters: SamplingParameters):
    values = logits()
    drawn = sample(values, noise(), parameters)
    assert drawn.dtype == torch.int64
    assert (values.gather(1, drawn[:, None]) > -inf).all()


@given(st.integers(1, 30), st.sampled_from([0.3, 1.0, 4.0]), st.integers(0, 1_000))
def test_top_k_draws_the_largest_sum_among_the_kept(k: int, temperature: float, seed: int):
    parameters = SamplingParameters(top_k=k, temperature=temperature)
    values = logits(rows=8, tokens=40, seed=seed)
    expected = (keep_top_k(values, k) / temperature + noise(8, 40)).argmax(-1)
    assert torch.equal(sample(values, noise(8, 40), parameters), expected)


def test_temperature_zero_takes_the_likeliest_whatever_the_noise():
    greedy = SamplingParameters(temperature=0, top_k=3)
    assert torch.equal(sample(logits(), noise() * 100, greedy), logits().argmax(-1))


@pytest.mark.parametrize(
    "parameters",
    [
        SamplingParameters(),
        SamplingParameters(temperature=2.0),
        SamplingParameters(top_k=6),
        SamplingParameters(top_p=0.95),
    ],
    ids=repr,
)
def test_tokens_are_drawn_as_often_as_the_softmax_says(parameters: SamplingParameters):
    # the rarest of the twelve tokens has a probability of 3e-4
    row = torch.linspace(0, 7, 12).unsqueeze(0)
    draws = 200_000
    drawn = sample(row.expand(draws, -1), noise(draws, 12), parameters)
    expected = filter_scores(row, parameters).softmax(-1)[0].double() * draws
    counts = drawn.bincount(minlength=12)
    possible = expected > 0
    assert counts[~possible].sum() == 0
    chi_square = float(((counts - expected) ** 2 / expected)[possible].sum())
    assert chi_square < 31.3  # at most 11 degrees of freedom, one in a thousand


@pytest.mark.parametrize("broken", [nan, inf])
@EVERY_FILTER
def test_nan_logits_raise_one_clear_error(parameters: SamplingParameters, broken: float):
    values = logits()
    values[4, 17] = broken
    with pytest.raises(EngineError, match="no token can be drawn"):
        sample(values, noise(), parameters)


@EVERY_FILTER
def test_a_row_with_every_token_forbidden_ends_in_one_clear_error(parameters: SamplingParameters):
    values = logits()
    values[2] = -inf
    with pytest.raises(EngineError, match="no token can be drawn"):
        sample(values, noise(), parameters)


def test_equal_sums_go_to_the_first_token():
    assert choose(torch.tensor([[0.0, 1.0, 1.0]]), torch.zeros(1, 3)).tolist() == [1]


def test_the_log_probability_is_that_of_raw_logits():
    chances = torch.tensor([[0.7, 0.2, 0.1], [0.5, 0.5, 0.0]])
    found = log_probability(chances.log() + 3, torch.tensor([0, 1]))
    torch.testing.assert_close(found, torch.tensor([0.7, 0.5]).log())
