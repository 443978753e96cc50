"""Training programs refuse wrong calls with one line before any work, and never overwrite existing files."""

import shutil
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from training import evaluate, export, finetune, movqgan, newcomer, pretokenize, scratch, tokenize_data
from training.checkpoints import latest_checkpoint
from training.transformer.lora import adapter_rank


def refused(program: click.Command, *arguments: object, status: int) -> str:
    """The only line of the program's error output."""
    result = CliRunner().invoke(program, [str(argument) for argument in arguments])
    assert result.exit_code == status, (result.output, result.exception)
    lines = [line for line in result.stderr.splitlines() if line]
    assert len(lines) == 1, result.stderr
    return lines[0]


@pytest.mark.parametrize(
    "options",
    [
        ("--prompt-dropout", 2),
        ("--prompt-dropout", "nan"),
        ("--learning-rate", 0),
        ("--learning-rate", "inf"),
        ("--decay", -0.1),
        ("--seed", -1),
        ("--save-seconds", -1),
        ("--threads", 0),
        ("--batch", 0),
        ("--accumulate", 0),
        ("--lora", 0),
    ],
    ids=lambda options: f"{options[0]} {options[1]}",
)
def test_a_number_out_of_range_is_refused(
    smoke_run: Path, tmp_path: Path, options: tuple[str, object]
) -> None:
    """Fixed bug: `--prompt-dropout 2` trained without any prompts, and `--seed -1` printed a traceback."""
    call = ["--model", smoke_run / "start", "--data", smoke_run / "data", "--run", tmp_path / "run"]
    assert options[0] in refused(finetune.main, *call, *options, status=2)


@pytest.mark.parametrize(
    ("program", "options"),
    [
        (pretokenize.main, ["--model", ".", "--out", "x", "--seed", -1]),
        (scratch.main, ["--movqgan", ".", "--out", "x", "--seed", -1]),
        (movqgan.main, ["--run", "x", "--seed", -1]),
        (movqgan.main, ["--run", "x", "--learning-rate", "nan"]),
        (evaluate.main, ["--output", "x", "--temperature", "nan"]),
        (evaluate.main, ["--output", "x", "--guidance-scale", -1]),
        (newcomer.main, ["draw", "--out", "x", "--seed", -1]),
    ],
)
def test_the_other_programs_refuse_it_too(program: click.Command, options: list[object]) -> None:
    assert str(options[-2]) in refused(program, *options, status=2)


def test_a_folder_without_sequences_is_refused_with_the_command_that_makes_them(
    smoke_run: Path, tmp_path: Path
) -> None:
    """Fixed bug: the message was "[Errno 2] No such file or directory: .../tokens.npy"."""
    call = ["--model", smoke_run / "start", "--data", tmp_path, "--run", tmp_path / "run"]
    line = refused(finetune.main, *call, status=1)
    assert "contains no sequences; `python -m training.tokenize_data`" in line


def test_damaged_sequences_are_named(smoke_run: Path, tmp_path: Path) -> None:
    shutil.copytree(smoke_run / "data", tmp_path / "data")
    (tmp_path / "data/tokens.npy").write_bytes(b"\x93NUMPY")
    call = ["--model", smoke_run / "start", "--data", tmp_path / "data", "--run", tmp_path / "run"]
    assert "is damaged" in refused(finetune.main, *call, status=1)


def test_a_run_without_a_checkpoint_cannot_be_exported(smoke_run: Path, tmp_path: Path) -> None:
    """Fixed bug: this printed a traceback."""
    (tmp_path / "run").mkdir()
    call = ["--model", smoke_run / "start", "--run", tmp_path / "run", "--out", tmp_path / "out"]
    assert "has no checkpoint yet" in refused(export.main, *call, status=1)
    assert not (tmp_path / "out").exists()


def test_a_damaged_checkpoint_is_named(smoke_run: Path, tmp_path: Path) -> None:
    shutil.copytree(smoke_run / "run", tmp_path / "run")
    path = latest_checkpoint(tmp_path / "run/checkpoints")
    assert path is not None
    path.write_bytes(path.read_bytes()[:1000])
    call = ["--model", smoke_run / "start", "--run", tmp_path / "run", "--out", tmp_path / "out"]
    assert f"{path} is damaged" in refused(export.main, *call, status=1)


def test_an_export_replaces_no_folder_unasked_and_never_its_own_model(
    smoke_run: Path, tmp_path: Path
) -> None:
    """Fixed bug: `--out` with the name of the model replaced its weights."""
    start = Path(shutil.copytree(smoke_run / "start", tmp_path / "start"))
    call = ["--model", start, "--run", smoke_run / "run", "--out", start]
    before = (start / "model.safetensors").read_bytes()
    assert "is not empty; use --overwrite" in refused(export.main, *call, status=1)
    assert "is an input of this export" in refused(export.main, *call, "--overwrite", status=1)
    assert (start / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("program", "call"),
    [
        (pretokenize.main, ["--model", "MODEL", "--examples", 4]),
        (scratch.main, ["--movqgan", "MODEL/movqgan"]),
        (tokenize_data.main, ["--model", "MODEL", "--data", "."]),
        (newcomer.main, ["draw"]),
    ],
)
def test_no_program_writes_into_a_folder_that_is_not_empty(
    smoke_run: Path, tmp_path: Path, program: click.Command, call: list[object]
) -> None:
    (tmp_path / "precious").write_text("kept")
    arguments = [str(part).replace("MODEL", str(smoke_run / "start")) for part in call]
    assert "is not empty" in refused(program, *arguments, "--out", tmp_path, status=1)
    assert [file.name for file in tmp_path.iterdir()] == ["precious"]


def test_an_output_that_cannot_be_written_is_found_before_the_work(smoke_run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    out = tmp_path / "file/out"
    call = ["--model", smoke_run / "start", "--out", out]
    assert "cannot be written to" in refused(pretokenize.main, *call, status=1)


def begin(smoke_run: Path, run: Path, *options: object) -> list[object]:
    """Train a run for two steps; returns its command line."""
    call = ["--model", smoke_run / "start", "--data", smoke_run / "data", "--run", run, "--threads", 1]
    call += ["--fp32", "--warmup", 1, *options]
    result = CliRunner().invoke(finetune.main, [str(part) for part in [*call, "--batch", 4, "--steps", 2]])
    assert result.exit_code == 0, result.output
    return call


def test_a_run_resumes_only_with_the_same_data_batch_size_and_seed(smoke_run: Path, tmp_path: Path) -> None:
    """Fixed bug: another batch size or seed was accepted silently, contrary to TRAIN.md."""
    call = [*begin(smoke_run, tmp_path / "run"), "--steps", 3]
    line = refused(finetune.main, *call, "--batch", 8, status=1)
    assert "was started with --batch 4, not 8: use the same value, or choose another run folder" in line
    call += ["--batch", 4]
    assert "--seed 1, not 2" in refused(finetune.main, *call, "--seed", 2, status=1)
    assert "--prompt-dropout 0.1" in refused(finetune.main, *call, "--prompt-dropout", 0.5, status=1)
    assert "--muon" in refused(finetune.main, *call, "--adamw", status=1)
    more = [*call, "--data", smoke_run / "data"]
    assert "was started with --data" in refused(finetune.main, *more, status=1)
    assert CliRunner().invoke(finetune.main, [str(part) for part in call]).exit_code == 0


def test_an_adapter_run_resumes_only_with_the_same_model(smoke_run: Path, tmp_path: Path) -> None:
    """Fixed bug: other weights of the same shapes were accepted silently."""
    call = begin(smoke_run, tmp_path / "run", "--lora", 2)
    assert adapter_rank(tmp_path / "run/adapter") == 2
    call[1] = smoke_run / "model"
    assert "started with --model" in refused(finetune.main, *call, "--batch", 4, "--steps", 3, status=1)


def test_a_batch_that_does_not_split_evenly_is_refused(smoke_run: Path, tmp_path: Path) -> None:
    call = ["--model", smoke_run / "start", "--data", smoke_run / "data", "--run", tmp_path / "run"]
    line = refused(finetune.main, *call, "--batch", 4, "--accumulate", 3, status=1)
    assert "a batch of 4 sequences does not split into 3 equal parts" in line


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--batch", 2], "--batch 4, not 2"),
        (["--seed", 7], "--seed 1, not 7"),
        (["--channels", 24], "--channels"),
    ],
)
def test_a_run_of_the_image_tokenizer_resumes_only_with_the_same_settings(
    tmp_path: Path, options: list[object], said: str
) -> None:
    base = ["--run", tmp_path / "run", "--steps", 1, "--fp32", "--threads", 1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(movqgan, "measure", lambda *_, **__: "measured")
        done = CliRunner().invoke(movqgan.main, [str(part) for part in [*base, "--batch", 4]])
    assert done.exit_code == 0, done.output
    call = [*base[:3], 2, *base[4:], "--batch", 4, *options]
    assert said in refused(movqgan.main, *call, status=1)


def test_an_unknown_device_is_named(smoke_run: Path, tmp_path: Path) -> None:
    """Fixed bug: this printed a traceback."""
    call = ["--model", smoke_run / "start", "--data", smoke_run / "data", "--run", tmp_path / "run"]
    assert "abacus" in refused(finetune.main, *call, "--batch", 4, "--device", "abacus", status=1)
