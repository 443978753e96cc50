"""Learning-rate schedule, and Muon for the matrices of the layers."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from training.optimizers import HybridOptimizer, Muon, orthogonalise
from training.schedules import WarmupStableDecay

SHAPES = [(8, 8), (16, 64), (64, 16)]


def test_the_rate_rises_stays_and_falls_to_almost_nothing() -> None:
    schedule = WarmupStableDecay(total=100, warmup=10, decay=0.2)
    factors = [schedule.factor(step) for step in range(100)]
    assert factors[:10] == pytest.approx([step / 10 for step in range(1, 11)])
    assert factors[10:80] == [1.0] * 70
    assert factors[80:] == pytest.approx([rest / 20 for rest in range(20, 0, -1)])


@given(total=st.integers(1, 500), warmup=st.integers(0, 600), decay=st.floats(0, 1))
def test_every_step_has_a_factor_above_nothing_and_at_most_one(total: int, warmup: int, decay: float) -> None:
    schedule = WarmupStableDecay(total, warmup, decay)
    assert all(0 < schedule.factor(step) <= 1 for step in range(total))


def test_a_longer_run_begins_as_a_shorter_one_did() -> None:
    short, long = WarmupStableDecay(100, 10, 0.2), WarmupStableDecay(400, 10, 0.2)
    assert [short.factor(step) for step in range(80)] == [long.factor(step) for step in range(80)]


@pytest.mark.parametrize("shape", SHAPES)
def test_all_singular_values_come_near_one(shape: tuple[int, int]) -> None:
    matrices = torch.randn(5, *shape, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(orthogonalise(matrices))
    assert values.max() < 1.3
    # Newton-Schulz lifts the smallest of a square random matrix last; most are there after five rounds
    assert values.median() > 0.65
    assert values.mean() == pytest.approx(0.95, abs=0.2)


def test_orthogonalising_keeps_the_directions() -> None:
    matrices = torch.randn(1, 16, 48, generator=torch.Generator().manual_seed(2))
    left, _, right = torch.linalg.svd(matrices[0], full_matrices=False)
    turned = left.T @ orthogonalise(matrices)[0] @ right.T
    assert (turned - torch.diag(turned.diagonal())).abs().max() < 0.06


def test_equal_shapes_move_together_as_each_would_alone() -> None:
    generator = torch.Generator().manual_seed(3)
    starts = [torch.randn(8, 12, generator=generator) for _ in range(3)]
    gradients = [torch.randn(8, 12, generator=generator) for _ in range(3)]

    def moved(chosen: list[int]) -> list[torch.Tensor]:
        matrices = [nn.Parameter(starts[number].clone()) for number in chosen]
        for matrix, number in zip(matrices, chosen, strict=True):
            matrix.grad = gradients[number].clone()
        Muon(matrices, lr=0.1).step()
        return [matrix.detach() for matrix in matrices]

    together = moved([0, 1, 2])
    for number in range(3):
        assert torch.allclose(together[number], moved([number])[0], atol=1e-5)


def test_an_update_has_the_size_that_the_rate_says() -> None:
    matrix = nn.Parameter(torch.zeros(32, 128))
    matrix.grad = torch.randn(32, 128, generator=torch.Generator().manual_seed(4))
    Muon([matrix], lr=0.1).step()
    # 0.2 is the usual root mean square of an AdamW update
    assert matrix.detach().square().mean().sqrt() == pytest.approx(0.1 * 0.2, rel=0.2)


@pytest.mark.parametrize("shape", SHAPES)
def test_its_steps_are_those_of_the_muon_in_pytorch(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(5)
    start = torch.randn(*shape, generator=generator)
    gradients = [torch.randn(*shape, generator=generator) for _ in range(3)]
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    optimizers = [
        Muon([ours], lr=0.1, weight_decay=0.5),
        torch.optim.Muon([theirs], lr=0.1, weight_decay=0.5, adjust_lr_fn="match_rms_adamw"),
    ]
    for gradient in gradients:
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        for optimizer in optimizers:
            optimizer.step()
    # theirs iterates in bfloat16, and ours where that is fast; the rounding is worth 1 to 3 percent of a step
    assert (ours - theirs).norm() < 0.04 * (theirs - start).norm()


def test_matrices_of_layers_go_to_muon_and_the_rest_to_adamw() -> None:
    parameters = {
        "embed_tokens.weight": nn.Parameter(torch.randn(6, 4)),
        "layers.0.mlp.down_proj.weight": nn.Parameter(torch.randn(4, 6)),
        "layers.0.input_layernorm.weight": nn.Parameter(torch.ones(4)),
    }
    optimizer = HybridOptimizer(parameters, lr=0.1, weight_decay=0.0, muon=True)
    sizes = [len(part["state"]) for part in _after_a_step(optimizer, parameters)]
    assert sizes == [2, 1]
    without = HybridOptimizer(parameters, lr=0.1, weight_decay=0.0, muon=False)
    assert [len(part["state"]) for part in _after_a_step(without, parameters)] == [3]


def _after_a_step(optimizer: HybridOptimizer, parameters: dict[str, nn.Parameter]) -> list[dict[str, Any]]:
    for parameter in parameters.values():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step(1.0)
    return optimizer.state_dict()["parts"]
