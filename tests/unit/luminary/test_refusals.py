"""What `luminary generate` refuses: one line on stderr, status 2 for a wrong call and 1 for a failure."""

import json
import shutil
from pathlib import Path

import pytest

from tests.support.command_line import Run
from tests.support.models.model_folder import write_image_tokenizer

Captured = pytest.CaptureFixture[str]


def refused(luminary: Run, capsys: Captured, *arguments: object, status: int = 2) -> str:
    """The one line that the command says."""
    assert luminary("generate", "--seed", 1, *arguments) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("luminary: ")
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.fixture
def copy(model: Path, tmp_path: Path) -> Path:
    """A model folder that a test may damage."""
    return Path(shutil.copytree(model, tmp_path / "model"))


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["--prompt", "a", "--size", "65x64"], "multiples of 32"),
        (["--prompt", "a", "--size", "0x0"], "multiples of 32"),
        (["--prompt", "a", "--size", "large"], "768x512"),
        (["--prompt", "a", "--task", "paint"], "'paint'"),
        (["--prompt", "a", "--size", "64x64", "--aspect-ratio", "1:1"], "not both"),
        (["--prompt", "a", "--aspect-ratio", "wide"], "'wide'"),
        (["--prompt", "a", "-n", 3, "--best-of", 2], "at least -n"),
        (["--prompt", "a", "--best-of", 2, "--guidance-scale", 1], "needs guidance"),
        (["--prompt", "a", "--negative-prompt", "b", "--guidance-scale", 1], "needs guidance"),
        (["--prompt", "a", "--negative-prompt", " "], "must not be blank"),
        (["--prompt", "a", "--task", "control", "--control", "thermal", "--image", "x.png"], "'thermal'"),
        (
            ["--prompt", "a", "--task", "control", "--control", "segmentation", "--image", "x.png"],
            "needs one of",
        ),
        (["--prompt", "a", "--task", "pair"], "needs one of the maps"),
        (["--prompt", "a", "--task", "edit"], "needs an image"),
        (["--prompt", "a", "--image", "x.png"], "takes no image"),
        (["--prompt", "a", "--control", "depth"], "takes no map"),
        (["--prompt", "a", "--subject", "a dog"], "takes no description"),
        ([], "needs a prompt"),
        (["--prompt", "a", "--task", "edit", "--image", "absent.png"], "absent.png"),
        (["--prompt", "a", "--cfg", "-1"], "--guidance-scale"),
        (["--prompt", "a", "--guidance-scale", "nan"], "--guidance-scale"),
        (["--prompt", "a", "--cfg", "much"], "--guidance-scale"),
        (["--prompt", "a", "--guidance", "wild"], "guidance_schedule"),
        (["--prompt", "a", "--top-k", "-3"], "--top-k"),
        (["--prompt", "a", "--top-p", "0"], "--top-p"),
        (["--prompt", "a", "--temperature", "-1"], "--temperature"),
        (["--prompt", "a", "--seed", str(1 << 63)], "--seed"),
        (["--prompt", "a", "--seed", "-2"], "--seed"),
        (["--prompt", "a", "--temperature", "1e-40"], "temperature"),
        (["--prompt", "a", "--temperature", "inf"], "--temperature"),
        (["--prompt", "a \udcff"], "not valid UTF-8"),
        (["--prompt", "a", "--task", "txt_to_image"], "did you mean 'text_to_image'?"),
        (["--prompt", "a", "--task", "control", "--target", "depth", "--image", "x.png"], "takes --control"),
        (["--task", "dense", "--control", "depth", "--image", "x.png"], "takes --target"),
        (["--prompt", "a", "--task", "image_pair", "--control", "hed", "--target", "pose"], "one of them"),
        (["--promt", "a"], "--prompt"),
        (["--prompt", "a", "--adapter", "absent"], "no adapter 'absent'"),
        (["--prompt", "a", "--n", "0"], "--n"),
        (["--prompt", "a", "--dtype", "fp8"], "fp8"),
        (["--prompt", "a", "--device", "abacus"], "abacus"),
        (["--prompt", "a", "--device", "cuda:31"], "cuda:31"),
        (["--prompt", "a", "--quant", "int3"], "int3"),
    ],
)
def test_a_wrong_argument_is_named(
    luminary: Run, capsys: Captured, model: Path, arguments: list[str], cause: str
):
    assert cause in refused(luminary, capsys, "--model", model, *arguments)


def test_what_is_wrong_with_a_request_is_said_before_the_model_is_read(luminary: Run, capsys: Captured):
    assert "multiples of 32" in refused(
        luminary, capsys, "--model", "absent", "--prompt", "a", "--size", "65x64"
    )


def test_a_model_folder_that_is_missing_is_named(luminary: Run, capsys: Captured):
    assert "no model folder absent" in refused(luminary, capsys, "--model", "absent", "--prompt", "a")


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_a_broken_picture_is_refused(
    luminary: Run, capsys: Captured, model: Path, tmp_path: Path, data: bytes
):
    picture = tmp_path / "broken.png"
    picture.write_bytes(data)
    call = ["--model", model, "--task", "edit", "--prompt", "a", "--size", "64x32", "--image", picture]
    refused(luminary, capsys, *call)


def test_a_picture_larger_than_the_grid_tokens_can_say_is_refused(
    luminary: Run, capsys: Captured, model: Path
):
    refused(luminary, capsys, "--model", model, "--prompt", "a", "--size", "32x99968")


def test_truncated_weights_are_refused(luminary: Run, capsys: Captured, copy: Path):
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    assert "model.safetensors" in refused(luminary, capsys, "--model", copy, "--prompt", "a", status=1)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors", "movqgan"])
def test_a_missing_part_of_the_model_is_named(luminary: Run, capsys: Captured, copy: Path, name: str):
    path = copy / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert name in refused(luminary, capsys, "--model", copy, "--prompt", "a", status=1)


def test_a_tokenizer_without_special_tokens_is_refused(luminary: Run, capsys: Captured, copy: Path):
    file = copy / "tokenizer.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"added_tokens": []}))
    assert "<racm3:break>" in refused(luminary, capsys, "--model", copy, "--prompt", "a", status=1)


def test_truncated_weights_of_the_image_tokenizer_are_refused(luminary: Run, capsys: Captured, copy: Path):
    weights = copy / "movqgan/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    refused(luminary, capsys, "--model", copy, "--prompt", "a", status=1)


def test_an_image_tokenizer_of_another_model_is_refused(luminary: Run, capsys: Captured, copy: Path):
    write_image_tokenizer(copy / "movqgan", 512)
    line = refused(luminary, capsys, "--model", copy, "--prompt", "a", status=1)
    assert "512 codes" in line
    assert "256" in line
