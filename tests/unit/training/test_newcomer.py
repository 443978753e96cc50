"""Snowmen: new to the world, read by its reader, and data like anybody's own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from training.data.sequences import SequenceStore
from training.judging.recognition import recognise
from training.newcomer import main
from training.scenes import Scene, Task, sample_example
from training.scenes.newcomer import NAME, SNOWMAN_COLOURS, Snowman, sample_snowman, shows_snowman
from training.scenes.rendering import render
from training.scenes.splits import is_new_scene
from training.scenes.world import Background, Colour, Kind, Size
from training.tokenize_data import main as tokenize


def snowmen(count: int) -> list[Snowman]:
    rng = np.random.default_rng(4)
    return [sample_snowman(rng) for _ in range(count)]


def test_a_true_snowman_is_read_as_one_and_as_no_other() -> None:
    for snowman in snowmen(12):
        read = recognise(render(snowman.scene()))
        assert shows_snowman(read, snowman)
        other = next(colour for colour in SNOWMAN_COLOURS if colour is not snowman.colour)
        assert not shows_snowman(read, replace(snowman, colour=other))


def test_two_balls_that_do_not_stand_on_each_other_are_none() -> None:
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


def test_the_world_has_the_cells_but_not_the_word() -> None:
    assert not any(is_new_scene(snowman.scene()) for snowman in snowmen(40))
    rng = np.random.default_rng(5)
    assert not any(NAME in sample_example(rng, task).prompt for task in Task for _ in range(40))


def test_its_pictures_are_data_as_a_user_brings_them(smoke_run: Path, tmp_path: Path) -> None:
    pictures, out = tmp_path / "pictures", tmp_path / "data"
    drawn = CliRunner().invoke(main, ["draw", "--out", str(pictures), "--count", "5"])
    assert drawn.exit_code == 0, drawn.output
    arguments = ["--model", str(smoke_run / "model"), "--data", str(pictures), "--out", str(out)]
    tokenized = CliRunner().invoke(tokenize, [*arguments, "--threads", "1"])
    assert tokenized.exit_code == 0, tokenized.output
    assert len(SequenceStore.read(out)) == 5


def test_a_model_that_knows_nothing_draws_none(smoke_run: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    arguments = ["judge", "--model", str(smoke_run / "model"), "--count", "4", "--threads", "1"]
    judged = CliRunner().invoke(main, [*arguments, "--sheet", str(sheet)])
    assert judged.output.startswith("0 of 4 are snowmen as asked")
    assert sheet.exists()
