"""An interrupted and resumed training run has bit for bit the losses and weights of an uninterrupted one."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from services.tokenizer.movqgan import load_movqgan
from services.worker.engine.loading.weight_streaming import load_transformer
from services.worker.engine.model.config import ModelConfig
from training.checkpoints import latest_checkpoint, read_checkpoint
from training.finetune import open_batches
from training.tokenizer.trainer import TokenizerOptions, TokenizerTrainer
from training.transformer.trainer import TrainingOptions, TransformerTrainer

pytestmark = pytest.mark.slow

STEPS = 4
INTERRUPTED_AFTER = (1, 3)

Trainer = TransformerTrainer | TokenizerTrainer


def transformer_trainer(folder: Path, *, bf16: bool, muon: bool) -> TransformerTrainer:
    config = ModelConfig.from_folder(folder / "start")
    model, _ = load_transformer(folder / "start", config, torch.float32, torch.device("cpu"))
    source = open_batches(folder / "start", (folder / "data",), size=6, seed=2, dropout=0.2)
    options = TrainingOptions(STEPS, warmup=2, bf16=bf16, muon=muon)
    return TransformerTrainer(model.train().requires_grad_(True), source, options)


def tokenizer_trainer(folder: Path, *, bf16: bool) -> TokenizerTrainer:
    model = load_movqgan(folder / "movqgan/start")
    return TokenizerTrainer(model, TokenizerOptions(STEPS, batch=2, bf16=bf16))


def run(trainer: Trainer, steps: int) -> list[float]:
    """Train for some steps; returns their losses."""
    losses: list[float] = []
    for _ in range(steps):
        result = trainer.train_step()
        losses.append((result if isinstance(result, dict) else result[1])["loss"])
    return losses


def saved_state(trainer: Trainer, folder: Path) -> dict[str, object]:
    trainer.save(folder)
    path = latest_checkpoint(folder)
    assert path is not None
    return read_checkpoint(path)


def assert_equal(one: object, another: object, path: str = "") -> None:
    """Compare every tensor and number of two states, bit for bit."""
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


def assert_resumes_exactly(new_trainer: Callable[[], Trainer], folder: Path) -> None:
    """Go on from each checkpoint of an uninterrupted run; losses and states have to be those of that run."""
    whole = new_trainer()
    losses: list[float] = []
    for step in range(STEPS):
        if step in INTERRUPTED_AFTER:
            whole.save(folder / f"after-{step}")
        losses += run(whole, 1)
    expected = saved_state(whole, folder / "whole")
    for step in INTERRUPTED_AFTER:
        resumed = new_trainer()
        resumed.resume(folder / f"after-{step}")
        assert run(resumed, STEPS - step) == losses[step:]
        assert_equal(saved_state(resumed, folder / f"resumed-{step}"), expected)


@pytest.mark.parametrize(
    ("bf16", "muon"),
    [(True, True), *(pytest.param(False, muon, marks=pytest.mark.long) for muon in (True, False))],
)
def test_a_resumed_transformer_run_has_the_same_losses_and_weights(
    smoke_run: Path, tmp_path: Path, bf16: bool, muon: bool
) -> None:
    assert_resumes_exactly(lambda: transformer_trainer(smoke_run, bf16=bf16, muon=muon), tmp_path)


@pytest.mark.parametrize("bf16", [False, pytest.param(True, marks=pytest.mark.long)])
def test_a_resumed_tokenizer_run_has_the_same_losses_and_weights(
    smoke_run: Path, tmp_path: Path, bf16: bool
) -> None:
    assert_resumes_exactly(lambda: tokenizer_trainer(smoke_run, bf16=bf16), tmp_path)
