"""The larger world: prompts and instructions say what their scenes show."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from shared.known_words import unknown_words
from shared.tasks import MapKind, Task
from training.world.chains import LONGEST_CHAIN, STEP_SHARES, StepKind, sample_chain, sample_step
from training.world.codes import label_cells
from training.world.descriptions import Description, Mention
from training.world.examples import (
    MIXTURE,
    PROMPT_ROWS,
    control_example,
    dense_example,
    sample_example,
    text_to_image_example,
)
from training.world.known_words import known_words, words_of
from training.world.lexicon import NAMES
from training.world.nature import NATURAL
from training.world.nouns import COLOURS, KINDS, Colour, Kind, Pattern, Relation, Scenery, Size
from training.world.prompts import Row
from training.world.scene import CANVASES, LITTLE, MAIN, Look, Scene, Setting, stand
from training.world.splits import (
    Split,
    held_out_colour,
    is_new_pair,
    is_new_relation,
    is_new_scene,
)

pytestmark = pytest.mark.xdist_group("world")

SPLITS: tuple[Split, ...] = ("train", "held_out")


def look(kind: Kind, colour: Colour = Colour.RED, size: Size = Size.LARGE) -> Look:
    return Look(kind, colour, Pattern.PLAIN, size)


def test_shares_sum_to_one() -> None:
    for shares in (MIXTURE, PROMPT_ROWS, STEP_SHARES):
        assert sum(shares.values()) == pytest.approx(1)
    assert set(PROMPT_ROWS) == set(Row)
    assert set(STEP_SHARES) == set(StepKind)
    assert set(MIXTURE) == set(Task)


def test_every_kind_and_every_colour_has_some_held_out_pair_and_no_natural_one() -> None:
    held_out = {kind: held_out_colour(kind) for kind in KINDS}
    assert all(held_out[kind] not in NATURAL[kind] for kind in KINDS)
    assert len(set(held_out.values())) >= len(COLOURS) - 1
    pairs = [is_new_pair(a, b) for a in KINDS for b in KINDS if a < b]
    assert 0.05 < np.mean(pairs) < 0.15
    assert all(any(is_new_pair(a, b) for b in KINDS) for a in KINDS)
    assert all(is_new_pair(a, b) == is_new_pair(b, a) for a in KINDS[:9] for b in KINDS)


@pytest.mark.parametrize("row", Row)
@pytest.mark.parametrize("split", SPLITS)
def test_a_prompt_fits_its_scene_and_its_split(row: Row, split: Split) -> None:
    rng = np.random.default_rng(7)
    for number in range(12):
        canvas = CANVASES[number % len(CANVASES)]
        example = text_to_image_example(rng, row, split, canvas)
        said = example.criterion
        assert said is not None
        assert said.fits(example.scene)
        if said.relation is None:
            assert is_new_scene(example.scene) == (split == "held_out")
        else:
            first, second = said.mentions[:2]
            assert is_new_relation(first.kind, said.relation, second.kind) == (split == "held_out")


@pytest.mark.parametrize("kind", StepKind)
@pytest.mark.parametrize("split", SPLITS)
def test_an_edit_changes_what_it_says_and_keeps_the_rest(kind: StepKind, split: Split) -> None:
    rng = np.random.default_rng(11)
    for number in range(6):
        step = sample_step(rng, split, CANVASES[number % len(CANVASES)], kind=kind)
        assert step.kind is kind
        assert is_new_scene(step.after) == (split == "held_out")
        scene = step.before
        for change in step.changes:
            assert set(change.gone) <= set(scene.things)
            scene = change.apply(scene)
        assert scene == step.after
        assert (step.before == step.after) == (kind is StepKind.NOTHING)
        boxes = step.after.things
        assert not any(a.overlaps(b) for a in boxes for b in boxes if a is not b)


def test_a_chain_goes_on_from_its_last_scene_and_sometimes_back() -> None:
    rng = np.random.default_rng(5)
    chains = [sample_chain(rng, LONGEST_CHAIN, "train", MAIN) for _ in range(40)]
    for chain in chains:
        assert len(chain) == LONGEST_CHAIN
        assert all(one.after == other.before for one, other in pairwise(chain))
        assert not any(is_new_scene(step.after) for step in chain)
    assert any(step.kind is StepKind.BACK for chain in chains for step in chain)


def test_prompts_use_known_words_alone() -> None:
    rng = np.random.default_rng(3)
    used: set[str] = set()
    for number in range(600):
        prompt = sample_example(rng, CANVASES[number % len(CANVASES)]).prompt
        assert not unknown_words(prompt, known_words())
        used |= set(words_of(prompt))
    known = set(known_words())
    assert len(used & known) > 0.75 * len(known)
    assert known_words()[0] in NAMES[Kind.CAT]
    assert {"colour", "color", "doughnut", "donut", "aeroplane", "airplane", "centre", "center"} <= known
    assert unknown_words("a green dragon on the mat", known_words()) == ["dragon", "mat"]


def test_examples_depend_only_on_the_generator() -> None:
    one, another = (sample_example(np.random.default_rng(9), MAIN) for _ in range(2))
    assert one == another
    assert np.array_equal(one.drawn_codes, another.drawn_codes)


@pytest.mark.parametrize("task", Task)
def test_an_example_has_codes_and_pictures_of_all_its_panels(task: Task) -> None:
    example = sample_example(np.random.default_rng(2), LITTLE, task)
    panels = 2 if task is Task.IMAGE_PAIR else 1
    assert example.drawn_codes.shape == (LITTLE.rows * panels, LITTLE.columns)
    assert example.result.shape == (*LITTLE.pixels, 3)
    assert (example.given is None) == (example.given_codes is None) == (not task.takes_image)
    assert (example.partner is not None) == (task is Task.IMAGE_PAIR)


def test_a_pose_always_shows_an_animal() -> None:
    rng = np.random.default_rng(1)
    for _ in range(5):
        given = control_example(rng, MapKind.POSE, "train", LITTLE).given
        assert given is not None
        assert given.any()
        assert dense_example(rng, MapKind.POSE, "train", LITTLE).result.any()


def test_a_description_counts_excludes_and_tells_things_apart() -> None:
    cats = [stand(look(Kind.CAT), slot, MAIN) for slot in ((0, 0), (1, 1))]
    scene = Scene.of(Setting(Scenery.BEACH), [*cats, stand(look(Kind.TREE), (2, 2), MAIN)])
    assert Description((Mention(Kind.CAT, count=2),)).fits(scene)
    assert not Description((Mention(Kind.CAT, count=3),)).fits(scene)
    assert not Description((Mention(Kind.CAT),), absent=(Kind.TREE,)).fits(scene)
    assert not Description((Mention(Kind.CAT),), scenery=Scenery.FARM).fits(scene)
    both = (Mention(Kind.CAT, Colour.RED), Mention(Kind.CAT, Colour.BLUE))
    assert not Description(both).fits(scene)
    assert Description((Mention(Kind.CAT), Mention(Kind.CAT))).fits(scene)
    between = (Mention(Kind.CAT), Mention(Kind.CAT), Mention(Kind.TREE))
    assert Description(between, Relation.BETWEEN).fits(scene)
    assert not Description(between[::-1], Relation.BETWEEN).fits(scene)


def test_held_out_pictures_use_only_codes_that_training_shows() -> None:
    rng = np.random.default_rng(1)
    shown: Counter[int] = Counter()
    for number in range(1500):
        shown.update(sample_example(rng, CANVASES[number % 4]).drawn_codes.reshape(-1).tolist())
    for kind in KINDS:
        item = stand(Look(kind, held_out_colour(kind), Pattern.PLAIN, Size.LARGE), (1, 1), MAIN)
        grid = label_cells(Scene.of(Setting(Scenery.MEADOW), [item]))
        assert all(
            shown[int(code)] for code in grid[item.row : item.foot, item.column : item.end].reshape(-1)
        )
