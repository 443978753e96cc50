"""`luminary generate` from a model folder to PNG files, for every task."""

import re
from pathlib import Path
from typing import cast

import pytest
from PIL import Image

from luminary.local.pipeline import LocalPipeline
from services.tokenizer.fingerprint import fingerprint as movqgan_fingerprint
from services.tokenizer.movqgan import load_movqgan
from services.worker.engine.kernels.precision import Precision
from services.worker.engine.loading.weights_fingerprint import fingerprint_model
from tests.support.command_line import Run, parameters
from tests.support.source_tree import ROOT

TINY = Path(__file__).parents[3] / "models/tiny"
PHOTO = Image.linear_gradient("L").resize((90, 70)).convert("RGB")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "photo.png"
    PHOTO.save(file)
    return file


def size_of(file: Path) -> tuple[int, int]:
    with Image.open(file) as picture:
        return picture.size


@pytest.mark.parametrize(
    ("arguments", "task"),
    [
        (["--task", "text_to_image", "--prompt", "a ball"], "text_to_image"),
        (["--task", "image_pair", "--target", "edges", "--prompt", "a ball"], "image_pair"),
    ],
)
def test_a_task_without_a_given_picture_draws_a_picture_of_the_asked_size(
    luminary: Run, model: Path, tmp_path: Path, arguments: list[str], task: str
):
    assert (
        luminary("generate", "--model", model, *arguments, "--size", "96x64", "--seed", 5, "--out", tmp_path)
        == 0
    )
    assert size_of(tmp_path / "a-ball-5-0.png") == (96, 64)
    assert parameters(tmp_path / "a-ball-5-0.png")["task"] == task


@pytest.mark.parametrize(
    "arguments",
    [
        ["--task", "control", "--control", "depth", "--prompt", "a chair"],
        ["--task", "edit", "--prompt", "make it blue"],
        ["--task", "dense", "--target", "segmentation"],
        ["--task", "subject", "--subject", "a dog", "--prompt", "on a beach"],
    ],
)
def test_a_task_with_a_given_picture_draws_one_panel_or_both(
    luminary: Run, model: Path, photo: Path, tmp_path: Path, arguments: list[str]
):
    call = ["generate", "--model", model, *arguments, "--image", photo, "--size", "64x32", "--seed", 5]
    assert luminary(*call, "--out", tmp_path / "one.png") == 0
    assert luminary(*call, "--out", tmp_path / "whole.png", "--whole") == 0
    assert size_of(tmp_path / "one.png") == (64, 32)
    assert size_of(tmp_path / "whole.png") == (64, 64)


def test_every_parameter_is_in_the_file(luminary: Run, model: Path, tmp_path: Path):
    options = ["--guidance-scale", 3, "--top-k", 50, "--top-p", 0.9, "--temperature", 0.8]
    options += ["--guidance-schedule", "reference"]
    assert (
        luminary(
            *("generate", "--model", model, "--prompt", "ein Käfer 甲", "--size", "32x32", "--seed", 9),
            *(*options, "--dtype", "fp32", "--out", tmp_path),
        )
        == 0
    )
    written = parameters(tmp_path / "ein-käfer-甲-9-0.png")
    assert len(str(written.pop("tokens_sha256"))) == 64
    assert re.fullmatch("[0-9a-f]{16}", str(written.pop("numerics")))
    parts = cast("dict[str, object]", written.pop("numerics_parts"))
    assert (parts["weights"], parts["precision"]) == (fingerprint_model(model), "fp32")
    assert written == {
        "task": "text_to_image",
        "prompt": "ein Käfer 甲",
        "size": "32x32",
        "map": None,
        "subject": None,
        "guidance_scale": 3.0,
        "guidance_schedule": "reference",
        "top_k": 50,
        "top_p": 0.9,
        "temperature": 0.8,
        "seed": 9,
        "image": 0,
        "precision": "fp32",
        "adapter": None,
        "partial": False,
        "model": model.name,
        "weights": fingerprint_model(model),
        "image_tokenizer": movqgan_fingerprint(load_movqgan(model / "movqgan")),
    }


def test_words_that_the_model_does_not_know_are_named(
    luminary: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["--prompt", "a red cat", "--seed", 1, "--out", tmp_path]
    assert luminary("generate", "--model", ROOT / "models/tiny", *words) == 0
    error = capsys.readouterr().err
    assert "warning: `cat` is unknown to this model; it knows: ball, cube, star" in error


def test_a_noise_secret_draws_other_pictures_with_another_identity(
    luminary: Run, model: Path, tmp_path: Path
):
    secret = tmp_path / "secret"
    secret.write_text("a secret for these tests\n")
    arguments = ["generate", "--model", model, "--prompt", "a ball", "--size", "64x64", "--seed", 5]
    assert luminary(*arguments, "--out", tmp_path / "plain.png") == 0
    assert luminary(*arguments, "--noise-secret-file", secret, "--out", tmp_path / "secret.png") == 0
    plain, drawn = (parameters(tmp_path / name) for name in ("plain.png", "secret.png"))
    assert plain["tokens_sha256"] != drawn["tokens_sha256"]
    assert plain["numerics"] != drawn["numerics"]
    assert "these tests" not in str(drawn)
    secret.write_text("short")
    assert luminary(*arguments, "--noise-secret-file", secret, "--out", tmp_path / "short.png") == 2


@pytest.mark.parametrize("quant", ["none", "int8", "nf4"])
def test_speculation_changes_no_byte_of_the_file(luminary: Run, model: Path, tmp_path: Path, quant: str):
    call = ["generate", "--model", model, "--prompt", "a ball", "--size", "64x64", "--seed", 3]
    call += ["--dtype", "fp32", "--quant", quant]
    assert luminary(*call, "--out", tmp_path / "fast") == 0
    assert luminary(*call, "--out", tmp_path / "slow", "--no-speculative") == 0
    fast, slow = (tmp_path / mode / "a-ball-3-0.png" for mode in ("fast", "slow"))
    assert fast.read_bytes() == slow.read_bytes()
    assert parameters(fast)["precision"] == ("fp32" if quant == "none" else f"fp32+{quant}")


def test_several_pictures_differ_and_the_first_is_the_one_drawn_alone(
    luminary: Run, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    call = ["generate", "--model", model, "--prompt", "a ball", "--size", "32x32", "--seed", 4]
    assert luminary(*call, "-n", 2, "--out", tmp_path / "two") == 0
    first, second = (tmp_path / f"two/a-ball-4-{index}.png" for index in (0, 1))
    assert capsys.readouterr().out.split() == [str(first), str(second)]
    assert luminary(*call, "--out", tmp_path / "one") == 0
    assert first.read_bytes() == (tmp_path / "one/a-ball-4-0.png").read_bytes()
    assert parameters(first)["tokens_sha256"] != parameters(second)["tokens_sha256"]


def test_a_seed_is_chosen_where_none_is_given(luminary: Run, model: Path, tmp_path: Path):
    call = ["generate", "--model", model, "--prompt", "a ball", "--size", "32x32", "--out", tmp_path]
    assert luminary(*call) == luminary(*call) == 0
    assert len(list(tmp_path.glob("a-ball-*-0.png"))) == 2


def test_a_picture_is_drawn_again_from_its_file(luminary: Run, model: Path, tmp_path: Path):
    call = ["generate", "--model", model, "--prompt", "a ball", "--size", "32x32", "--dtype", "fp32"]
    assert luminary(*call, "--out", tmp_path) == 0
    (file,) = tmp_path.glob("*.png")
    assert luminary(*call, "--seed", parameters(file)["seed"], "--out", tmp_path / "again") == 0
    assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


def test_the_pipeline_reads_a_folder_with_a_model_s_own_size(model: Path):
    assert str(LocalPipeline.load(model, Precision()).default_size) == "768x768"


def test_an_image_pair_without_a_size_has_its_map(luminary: Run, tmp_path: Path):
    """Found: 64x64, the scene and no map. Right: 64x128."""
    call = [
        "generate",
        "--model",
        TINY,
        "--task",
        "image_pair",
        "--target",
        "depth",
        "--prompt",
        "a red star",
    ]
    assert luminary(*call, "--seed", 5, "--out", tmp_path / "it.png") == 0
    assert size_of(tmp_path / "it.png") == (64, 128)


def test_a_given_picture_is_fitted_to_a_size_that_the_model_knows(luminary: Run, photo: Path, tmp_path: Path):
    call = ["generate", "--model", TINY, "--task", "edit", "--image", photo, "--prompt", "make it blue"]
    assert luminary(*call, "--seed", 5, "--out", tmp_path / "it.png") == 0
    assert size_of(tmp_path / "it.png") == (64, 64)


def test_a_size_that_the_model_was_not_trained_for_is_drawn_when_it_is_asked_for(
    luminary: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    call = ["generate", "--model", TINY, "--prompt", "a red star", "--size", "96x64", "--seed", 5]
    assert luminary(*call, "--out", tmp_path / "it.png") == 2
    assert "not trained for 96x64 in the task text_to_image, but for 64x64" in capsys.readouterr().err
    assert luminary(*call, "--out", tmp_path / "it.png", "--allow-untrained-size") == 0
    assert size_of(tmp_path / "it.png") == (96, 64)


def test_the_best_pictures_are_kept_in_the_order_of_their_scores(luminary: Run, model: Path, tmp_path: Path):
    call = ["generate", "--model", model, "--prompt", "a ball", "--size", "64x64", "--seed", 3]
    call += ["--guidance-scale", 3]
    assert luminary(*call, "-n", 4, "--out", tmp_path / "all") == 0
    assert luminary(*call, "-n", 2, "--best-of", 4, "--out", tmp_path / "best") == 0
    drawn = {file.read_bytes() for file in (tmp_path / "all").iterdir()}
    best = sorted((tmp_path / "best").iterdir())
    assert len(best) == 2
    assert {file.read_bytes() for file in best} < drawn
    assert len({str(parameters(file)["image"]) for file in best}) == 2


def test_an_aspect_ratio_chooses_a_trained_size(luminary: Run, tmp_path: Path):
    call = ["generate", "--model", TINY, "--prompt", "a red ball", "--seed", 3, "--out", tmp_path / "a.png"]
    assert luminary(*call, "--aspect-ratio", "3:2") == 0
    assert size_of(tmp_path / "a.png") == (64, 64)


def test_a_negative_prompt_changes_the_picture_and_is_in_its_file(luminary: Run, model: Path, tmp_path: Path):
    call = ["generate", "--model", model, "--prompt", "a ball", "--size", "64x64", "--seed", 3]
    call += ["--guidance-scale", 3]
    assert luminary(*call, "--out", tmp_path / "plain.png") == 0
    assert luminary(*call, "--negative-prompt", "a box", "--out", tmp_path / "negative.png") == 0
    plain, negative = (parameters(tmp_path / f"{name}.png") for name in ("plain", "negative"))
    assert negative.pop("negative_prompt") == "a box"
    assert negative.pop("tokens_sha256") != plain.pop("tokens_sha256")
    assert negative == plain
