"""Work estimates: later codes and rows cost more, in proportion to the keys that they attend to."""

from itertools import pairwise
from math import prod

import pytest

from services.worker.engine.loading.checkpoint import expected_shapes
from services.worker.job.effort import Effort, projection_weights
from tests.support.models.drawing_requests import plan_for
from tests.support.models.variations import Models


def test_every_code_costs_more_than_the_one_before_it(models: Models):
    plan = plan_for(models())
    effort = Effort(models(), plan, guided=True)
    costs = [effort.codes(drawn + 1) - effort.codes(drawn) for drawn in range(len(plan.free_positions))]
    assert costs[0] > 1
    assert all(before < after for before, after in pairwise(costs))


def test_the_rows_of_a_prompt_add_up_over_both_streams(models: Models):
    plan = plan_for(models(), prompt="a small red boat " * 20)
    alone, guided = (Effort(models(), plan, guided=guided) for guided in (False, True))
    first = plan.free_positions[0]
    second = first - plan.image_start
    assert guided.prefill(first, 0) == alone.prefill(first, 0) > first
    assert guided.prefill(first + second, 0) - guided.prefill(first, 0) == pytest.approx(
        alone.prefill(second, 0)
    )
    assert guided.prefill(0, 0) == guided.prefill(10, len(plan.free_positions)) == 0.0


def test_projection_weights_are_those_of_the_files(models: Models):
    config = models().config
    layers = [shape for name, shape in expected_shapes(config).items() if "_proj.weight" in name]
    assert sum(map(prod, layers)) == projection_weights(config)
