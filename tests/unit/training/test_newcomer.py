"""Snowmen: recognisable, absent from the scene world, and usable as a user's own data."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from shared.tasks import Task
from training.data.sequences import SequenceStore
from training.judging.recognition import recognise
from training.newcomer import main
from training.scenes import Scene, sample_example
from training.scenes.newcomer import NAME, SNOWMAN_COLOURS, Snowman, sample_snowman, shows_snowman
from training.scenes.rendering import render
from training.scenes.splits import is_new_scene
from training.scenes.world import Background, Colour, Kind, Size
from training.tokenize_data import main as tokenize

BUNDLED = Path(__file__).parents[3] / "models/tiny"


def snowmen(count: int) -> list[Snowman]:
    rng = np.random.default_rng(4)
    return [sample_snowman(rng) for _ in range(count)]


def test_a_true_snowman_is_recognised_with_its_colour() -> None:
    for snowman in snowmen(12):
        read = recognise(render(snowman.scene()))
        assert shows_snowman(read, snowman)
        other = next(colour for colour in SNOWMAN_COLOURS if colour is not snowman.colour)
        assert not shows_snowman(read, replace(snowman, colour=other))


def test_other_arrangements_of_objects_are_not_a_snowman() -> None:
    snowman = Snowman(Colour.RED, Background.SNOW, 0, 0)
    head, body = snowman.scene().objects
    assert shows_snowman(Scene.of(Background.SNOW, (body, head)), snowman)
    wrong = [
        (head,),
        (head, replace(body, column=3)),
        (head, replace(body, row=4)),
        (head, replace(body, kind=Kind.STAR)),
        (head, replace(body, size=Size.LARGE)),
        (head, body, replace(head, column=5)),
    ]
    assert not any(shows_snowman(Scene.of(Background.SNOW, objects), snowman) for objects in wrong)
    assert not shows_snowman(Scene.of(Background.BEACH, (head, body)), snowman)


def test_the_scene_world_has_the_objects_of_a_snowman_but_not_the_word() -> None:
    assert not any(is_new_scene(snowman.scene()) for snowman in snowmen(40))
    rng = np.random.default_rng(5)
    assert not any(NAME in sample_example(rng, task).prompt for task in Task for _ in range(40))


def test_pictures_of_snowmen_can_be_tokenized_like_a_users_own_data(tmp_path: Path) -> None:
    pictures, out = tmp_path / "pictures", tmp_path / "data"
    drawn = CliRunner().invoke(main, ["draw", "--out", str(pictures), "--count", "5"])
    assert drawn.exit_code == 0, drawn.output
    arguments = ["--model", str(BUNDLED), "--data", str(pictures), "--out", str(out)]
    tokenized = CliRunner().invoke(tokenize, [*arguments, "--threads", "1"])
    assert tokenized.exit_code == 0, tokenized.output
    assert len(SequenceStore.read(out)) == 5


def test_a_model_that_was_not_taught_draws_no_snowmen(smoke_run: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    arguments = ["judge", "--model", str(smoke_run / "model"), "--count", "4", "--threads", "1"]
    judged = CliRunner().invoke(main, [*arguments, "--sheet", str(sheet)])
    assert judged.output.startswith("0 of 4 pictures show the requested snowman")
    assert sheet.exists()
