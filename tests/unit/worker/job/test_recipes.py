"""A recipe has everything that decides the codes; without a negative prompt it is what it always was."""

import hashlib
import json
from dataclasses import astuple

from services.worker.engine.layout.prompts import PictureRequest
from services.worker.engine.layout.sequence_plan import plan_sequence
from services.worker.engine.loading.load import LoadedModel
from services.worker.engine.sampling.filters import SamplingParameters
from services.worker.job.provenance import describe
from services.worker.job.token_checkpoint import recipe_of
from shared.tasks import Task
from shared.token_grid import TokenGrid
from tests.support.job_runs import NUMERICS, SIZE

SAMPLING = SamplingParameters(seed=3)


def recipe(loaded: LoadedModel, negative: str | None) -> bytes:
    picture = PictureRequest(Task.TEXT_TO_IMAGE, "a ball", SIZE, negative_prompt=negative)
    plan = plan_sequence(loaded.vocabulary, loaded.text_tokenizer, picture)
    return recipe_of(NUMERICS, plan, SAMPLING)


def test_each_negative_prompt_has_a_recipe_of_its_own(loaded: LoadedModel) -> None:
    assert len({recipe(loaded, negative) for negative in (None, "dark", "noisy")}) == 3


def test_a_checkpoint_without_a_negative_prompt_keeps_its_recipe(loaded: LoadedModel) -> None:
    """Checkpoints of the version before must be usable after an update."""
    plan = plan_sequence(
        loaded.vocabulary, loaded.text_tokenizer, PictureRequest(Task.TEXT_TO_IMAGE, "a ball", SIZE)
    )
    before = repr((NUMERICS, plan.tokens, plan.image_start, astuple(SAMPLING)))
    assert recipe(loaded, None) == hashlib.sha256(before.encode()).digest()


def test_a_picture_names_its_negative_prompt_only_if_it_has_one() -> None:
    def written(negative: str | None) -> dict[str, object]:
        picture = PictureRequest(Task.TEXT_TO_IMAGE, "a ball", SIZE, negative_prompt=negative)
        grid = TokenGrid(1, 1, (1,))
        return json.loads(
            describe(picture, SAMPLING, image=0, grid=grid, model={}, partial=False)["luminary"]
        )

    assert written("dark")["negative_prompt"] == "dark"
    assert "negative_prompt" not in written(None)
