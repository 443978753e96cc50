"""A training that was interrupted and resumed is bit for bit the one that was not."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from services.tokenizer.movqgan import load_movqgan
from services.worker.engine.config import ModelConfig
from services.worker.engine.loading import load_transformer
from training.checkpoints import latest_checkpoint, read_checkpoint
from training.finetune import open_batches
from training.tokenizer.trainer import TokenizerOptions, TokenizerTrainer
from training.transformer.trainer import TrainingOptions, TransformerTrainer

STEPS = 6
INTERRUPTED_AFTER = [1, 4]


def transformer_trainer(folder: Path, *, bf16: bool, muon: bool) -> TransformerTrainer:
    config = ModelConfig.from_folder(folder / "start")
    model, _ = load_transformer(folder / "start", config, torch.float32, torch.device("cpu"))
    source = open_batches(folder / "start", (folder / "data",), size=6, seed=2, dropout=0.2)
    options = TrainingOptions(STEPS, warmup=2, bf16=bf16, muon=muon)
    return TransformerTrainer(model.train().requires_grad_(True), source, options)


def tokenizer_trainer(folder: Path, *, bf16: bool) -> TokenizerTrainer:
    model = load_movqgan(folder / "movqgan/start")
    return TokenizerTrainer(model, TokenizerOptions(STEPS, batch=2, bf16=bf16))


def run(trainer: TransformerTrainer | TokenizerTrainer, steps: int) -> list[float]:
    """The losses of some steps."""
    losses: list[float] = []
    for _ in range(steps):
        result = trainer.train_step()
        losses.append((result if isinstance(result, dict) else result[1])["loss"])
    return losses


def saved_state(trainer: TransformerTrainer | TokenizerTrainer, folder: Path) -> dict[str, object]:
    trainer.save(folder)
    path = latest_checkpoint(folder)
    assert path is not None
    return read_checkpoint(path)


def assert_equal(one: object, another: object, path: str = "") -> None:
    """Every tensor and number of two states, bit for bit."""
    assert type(one) is type(another), path
    if isinstance(one, dict) and isinstance(another, dict):
        assert one.keys() == another.keys(), path
        for key in one:
            assert_equal(one[key], another[key], f"{path}/{key}")
    elif isinstance(one, list | tuple) and isinstance(another, list | tuple):
        assert len(one) == len(another), path
        for place, (a, b) in enumerate(zip(one, another, strict=True)):
            assert_equal(a, b, f"{path}/{place}")
    elif isinstance(one, Tensor) and isinstance(another, Tensor):
        assert torch.equal(one, another), path
    else:
        assert one == another, path


@pytest.mark.parametrize("interrupted_after", INTERRUPTED_AFTER)
@pytest.mark.parametrize(("bf16", "muon"), [(False, True), (True, True), (False, False)])
def test_the_transformers_losses_and_weights(
    smoke_run: Path, tmp_path: Path, interrupted_after: int, bf16: bool, muon: bool
) -> None:
    whole = transformer_trainer(smoke_run, bf16=bf16, muon=muon)
    losses = run(whole, STEPS)
    cut_off = transformer_trainer(smoke_run, bf16=bf16, muon=muon)
    first_losses = run(cut_off, interrupted_after)
    cut_off.save(tmp_path / "run")
    resumed = transformer_trainer(smoke_run, bf16=bf16, muon=muon)
    resumed.resume(tmp_path / "run")
    assert first_losses + run(resumed, STEPS - interrupted_after) == losses
    assert_equal(saved_state(resumed, tmp_path / "a"), saved_state(whole, tmp_path / "b"))


@pytest.mark.parametrize("interrupted_after", INTERRUPTED_AFTER)
@pytest.mark.parametrize("bf16", [False, True])
def test_the_tokenizers_losses_and_weights(
    smoke_run: Path, tmp_path: Path, interrupted_after: int, bf16: bool
) -> None:
    whole = tokenizer_trainer(smoke_run, bf16=bf16)
    losses = run(whole, STEPS)
    cut_off = tokenizer_trainer(smoke_run, bf16=bf16)
    first_losses = run(cut_off, interrupted_after)
    cut_off.save(tmp_path / "run")
    resumed = tokenizer_trainer(smoke_run, bf16=bf16)
    resumed.resume(tmp_path / "run")
    assert first_losses + run(resumed, STEPS - interrupted_after) == losses
    assert_equal(saved_state(resumed, tmp_path / "a"), saved_state(whole, tmp_path / "b"))
