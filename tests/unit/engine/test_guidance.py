"""Guidance extrapolates from the unconditional logits; its scale follows a schedule."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from services.worker.engine.layout.image_grammar import ImageShape
from services.worker.engine.sampling.guidance import GuidanceSchedule, apply_guidance

SHAPE = ImageShape(2, 3)
EVERY_SCHEDULE = pytest.mark.parametrize("schedule", GuidanceSchedule)


def logits(rows: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, 1_001, generator=torch.Generator().manual_seed(seed)) * 5


def test_scale_zero_is_the_unconditional_and_scale_one_the_conditional():
    conditional, unconditional = logits(3), logits(3, seed=1)
    assert torch.equal(apply_guidance(conditional, unconditional, 0.0), unconditional)
    torch.testing.assert_close(apply_guidance(conditional, unconditional, 1.0), conditional)


def test_a_scale_beyond_one_goes_past_the_conditional():
    guided = apply_guidance(torch.tensor([[3.0, 1.0]]), torch.tensor([[1.0, 2.0]]), 4.0)
    assert guided.tolist() == [[9.0, -2.0]]


def test_every_row_may_have_its_own_scale():
    conditional, unconditional = logits(3), logits(3, seed=1)
    scales = torch.tensor([[4.0], [1.5], [7.5]])
    together = apply_guidance(conditional, unconditional, scales)
    for row, scale in enumerate(scales.flatten().tolist()):
        alone = apply_guidance(conditional[row : row + 1], unconditional[row : row + 1], scale)
        assert torch.equal(together[row : row + 1], alone)


def test_the_logits_handed_in_stay_as_they_are():
    conditional, unconditional = logits(2), logits(2, seed=1)
    apply_guidance(conditional, unconditional, 4.0)
    assert torch.equal(conditional, logits(2))
    assert torch.equal(unconditional, logits(2, seed=1))


def test_half_precision_logits_are_guided_in_float32():
    conditional, unconditional = logits(2).bfloat16(), logits(2, seed=1).bfloat16()
    guided = apply_guidance(conditional, unconditional, 4.0)
    assert torch.equal(guided, apply_guidance(conditional.float(), unconditional.float(), 4.0))


def test_schedules_are_chosen_by_name():
    assert GuidanceSchedule("constant") is GuidanceSchedule.CONSTANT
    assert GuidanceSchedule("reference") is GuidanceSchedule.REFERENCE


def test_the_constant_schedule_keeps_the_scale_on_every_cell():
    scales = GuidanceSchedule.CONSTANT.scales(2.5, SHAPE, range(3, SHAPE.length))
    assert scales.tolist() == [2.5] * (SHAPE.length - 3)


@EVERY_SCHEDULE
def test_the_header_is_never_guided(schedule: GuidanceSchedule):
    assert schedule.scales(7.5, SHAPE, [0, 1, 2]).tolist() == [1, 1, 1]


@EVERY_SCHEDULE
def test_scale_one_stays_off(schedule: GuidanceSchedule):
    assert set(schedule.scales(1.0, SHAPE, range(SHAPE.length)).tolist()) == {1}


@EVERY_SCHEDULE
def test_no_offsets_have_no_scales(schedule: GuidanceSchedule):
    assert schedule.scales(4.0, SHAPE, []).shape == (0,)


@given(st.floats(1.01, 30), st.integers(1, 40), st.integers(1, 40))
def test_the_reference_schedule_only_falls_and_ends_at_four(initial: float, height: int, width: int):
    shape = ImageShape(height, width)
    scales = GuidanceSchedule.REFERENCE.scales(initial, shape, range(3, shape.length))
    assert (scales.diff() <= 0).all()
    assert scales[-1] == 4


@EVERY_SCHEDULE
@given(st.lists(st.integers(0, SHAPE.length - 1)))
def test_a_scale_depends_on_its_offset_alone(schedule: GuidanceSchedule, offsets: list[int]):
    every = schedule.scales(7.5, SHAPE, range(SHAPE.length))
    assert torch.equal(schedule.scales(7.5, SHAPE, offsets), every[torch.tensor(offsets, dtype=torch.int64)])
