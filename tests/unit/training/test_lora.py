"""Adapters: only they are trained, runs resume exactly, peft and the engine load the files."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from torch import Tensor

from benchmarks.parity.streams import dense_states
from luminary.local.pipeline import LocalPipeline
from services.worker.engine.kernels.precision import Precision
from services.worker.engine.layout.prompts import PictureRequest
from services.worker.engine.loading.adapters import load_adapter
from services.worker.engine.loading.load import load_model
from services.worker.engine.loading.weight_streaming import load_transformer
from services.worker.engine.model.config import ModelConfig
from services.worker.engine.sampling.filters import SamplingParameters
from shared.tasks import Task
from tests.support.models.transformers_decoder import theirs
from training.checkpoints import read_checkpoint
from training.data.batches import ShuffledBatches
from training.distributed import Workers
from training.export import export_model
from training.finetune import RunOptions, finetune, open_batches
from training.transformer.lora import add_lora
from training.transformer.objective import batch_loss
from training.transformer.preparation import load_for_training
from training.transformer.trainer import TrainingOptions, TransformerTrainer

# peft uses an attribute of transformers that the newest version deprecates
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"),
]

STEPS, RANK = 8, 2
CPU = torch.device("cpu")
ALONE = Workers(0, 1, CPU)


def batches(folder: Path) -> ShuffledBatches:
    return open_batches(folder / "model", (folder / "data",), size=8, seed=1, dropout=0.1)


def options(steps: int = STEPS, *, rate: float = 5e-3, bf16: bool = False) -> TrainingOptions:
    return TrainingOptions(steps, learning_rate=rate, warmup=1, decay=0, bf16=bf16, muon=False)


def train(folder: Path, run: Path, steps: int = STEPS, *, rate: float = 2e-2, bf16: bool = False) -> Path:
    """Train an adapter of the small trained model; returns the run folder."""
    choices = RunOptions(lora=RANK, line_every=100)
    finetune(folder / "model", batches(folder), run, options(steps, rate=rate, bf16=bf16), choices)
    return run


@pytest.fixture(scope="module")
def tuned(smoke_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that has trained an adapter."""
    return train(smoke_run, tmp_path_factory.mktemp("lora") / "run")


def assert_equal_tensors(one: Mapping[str, Tensor], another: Mapping[str, Tensor]) -> None:
    assert one.keys() == another.keys()
    assert all(torch.equal(one[name], another[name]) for name in one)


def test_a_new_adapter_does_not_change_the_loss(smoke_run: Path) -> None:
    folder = smoke_run / "model"
    batch = batches(smoke_run).batch(0)
    plain, _ = load_transformer(folder, ModelConfig.from_folder(folder), torch.float32, CPU)
    adapted = load_for_training(folder, ALONE, lora=RANK, bf16=False, recompute=False, seed=1)
    losses = [batch_loss(model, batch, z_weight=0).nats for model in (plain, adapted)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("bf16", [False, True])
def test_only_adapters_train(smoke_run: Path, bf16: bool) -> None:
    model = load_for_training(smoke_run / "model", ALONE, lora=RANK, bf16=bf16, recompute=False, seed=1)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    trainer = TransformerTrainer(model, batches(smoke_run), options(bf16=bf16))
    for _ in range(2):
        trainer.train_step()
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name].to(p.dtype))}
    assert moved == set(trainer.masters)
    assert all(".lora_" in name for name in moved)
    # two factors for each of seven projections of each layer
    assert len(moved) == 2 * 7 * model.config.num_hidden_layers


def test_weights_that_are_not_trained_are_kept_in_bfloat16(smoke_run: Path) -> None:
    model = load_for_training(smoke_run / "model", ALONE, lora=RANK, bf16=True, recompute=False, seed=1)
    trainer = TransformerTrainer(model, batches(smoke_run), options(bf16=True))
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in trainer.masters.values()} == {torch.float32}


def test_training_lowers_the_loss_of_a_training_batch(smoke_run: Path) -> None:
    model = load_for_training(smoke_run / "model", ALONE, lora=RANK, bf16=False, recompute=False, seed=1)
    source = batches(smoke_run)
    trainer = TransformerTrainer(model, source, options(16))
    with torch.no_grad():
        before = batch_loss(model, source.batch(0), z_weight=0).nats
        for _ in range(16):
            with torch.enable_grad():
                trainer.train_step()
        after = batch_loss(model, source.batch(0), z_weight=0).nats
    assert after < before


def test_recomputing_changes_no_bit(smoke_run: Path) -> None:
    def losses(*, recompute: bool) -> list[float]:
        model = load_for_training(
            smoke_run / "model", ALONE, lora=RANK, bf16=False, recompute=recompute, seed=1
        )
        trainer = TransformerTrainer(model, batches(smoke_run), options())
        return [trainer.train_step()[1]["loss"] for _ in range(3)]

    assert losses(recompute=True) == losses(recompute=False)


@pytest.mark.parametrize("bf16", [False, pytest.param(True, marks=pytest.mark.long)])
def test_an_interrupted_run_ends_in_the_same_adapter(smoke_run: Path, tmp_path: Path, bf16: bool) -> None:
    train(smoke_run, tmp_path / "whole", bf16=bf16)
    for steps in (3, STEPS):
        train(smoke_run, tmp_path / "cut", steps, bf16=bf16)
    whole, cut = (
        load_file(tmp_path / name / "adapter/adapter_model.safetensors") for name in ("whole", "cut")
    )
    assert_equal_tensors(whole, cut)


def test_a_run_is_not_resumed_with_another_rank(smoke_run: Path, tuned: Path, tmp_path: Path) -> None:
    run = shutil.copytree(tuned, tmp_path / "run")
    for choices in (RunOptions(lora=RANK + 1), RunOptions()):
        with pytest.raises(ValueError, match="from a run that trained other weights"):
            finetune(smoke_run / "model", batches(smoke_run), run, options(STEPS + 1), choices)


def test_the_adapter_is_small(smoke_run: Path, tuned: Path) -> None:
    adapter = sum(file.stat().st_size for file in (tuned / "adapter").iterdir())
    model = (smoke_run / "model/model.safetensors").stat().st_size
    assert adapter < 0.3 * model  # the matrices of this small model are hardly larger than the adapter's


def test_an_adapter_of_the_bundled_models_size_has_less_than_five_percent_of_its_parameters() -> None:
    """Counts parameters on the meta device."""
    from services.worker.engine.model.transformer import Transformer

    config = ModelConfig(
        vocab_size=1536,
        hidden_size=256,
        intermediate_size=704,
        num_hidden_layers=6,
        num_attention_heads=8,
        num_key_value_heads=8,
    )
    with torch.device("meta"):
        model = Transformer(config).requires_grad_(False)
        whole = sum(p.numel() for p in model.parameters())
        add_lora(model, 8, seed=1)
    adapter = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert 0 < adapter < 0.05 * whole


def test_the_engine_draws_with_a_trained_adapter(smoke_run: Path, tmp_path: Path) -> None:
    model = shutil.copytree(smoke_run / "model", tmp_path / "model")
    # the rate is so high that the small model draws another picture, though not a better one
    run = train(smoke_run, tmp_path / "run", rate=0.1)
    assert export_model(model, run, model / "adapters/style") == (STEPS, True)
    sampling = SamplingParameters(seed=3, guidance_scale=2.0)
    grids = []
    for adapter in (None, "style"):
        pipeline = LocalPipeline.load(model, adapter=adapter)
        request = PictureRequest(Task.TEXT_TO_IMAGE, "a red ball", pipeline.default_size)
        grids.append(pipeline.draw(request, sampling)[0].grid)
    assert grids[0] != grids[1]


def test_a_merged_adapter_gives_the_loss_of_an_unmerged_one(smoke_run: Path, tuned: Path) -> None:
    folder = smoke_run / "model"
    config = ModelConfig.from_folder(folder)
    adapter = load_adapter(tuned / "adapter", config)
    merged, _ = load_transformer(folder, config, torch.float32, CPU, adapter)
    unmerged = load_for_training(folder, ALONE, lora=RANK, bf16=False, recompute=False, seed=9)
    factors = read_checkpoint(tuned / f"checkpoints/step-{STEPS:08d}.pt")["averaged"]
    for name, parameter in unmerged.named_parameters():
        if name in factors:
            parameter.data.copy_(factors[name])
    plain, _ = load_transformer(folder, config, torch.float32, CPU)
    batch = batches(smoke_run).batch(0)
    with torch.no_grad():
        losses = [batch_loss(model, batch, z_weight=0).nats.item() for model in (merged, unmerged, plain)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    assert abs(losses[0] - losses[2]) > 1e-3


def test_a_merged_export_is_a_whole_model(smoke_run: Path, tuned: Path, tmp_path: Path) -> None:
    assert export_model(smoke_run / "model", tuned, tmp_path / "merged", merge=True) == (STEPS, False)
    config = ModelConfig.from_folder(smoke_run / "model")
    adapter = load_adapter(tuned / "adapter", config)
    expected, _ = load_transformer(smoke_run / "model", config, torch.float32, CPU, adapter)
    merged, _ = load_transformer(tmp_path / "merged", config, torch.float32, CPU)
    assert_equal_tensors(dict(merged.named_parameters()), dict(expected.named_parameters()))
    assert LocalPipeline.load(tmp_path / "merged").default_size.width == 64


@torch.inference_mode()
def test_peft_and_the_engine_compute_the_same_logits_with_a_trained_adapter(
    smoke_run: Path, tuned: Path
) -> None:
    folder = smoke_run / "model"
    config = ModelConfig.from_folder(folder)
    tokens = batches(smoke_run).batch(0).tokens[:1]
    adapted = PeftModel.from_pretrained(theirs(folder, config), str(tuned / "adapter")).eval()
    expected = adapted(input_ids=tokens).logits[0]
    _, logits = dense_states(load_model(folder, Precision(), adapter=str(tuned / "adapter")), tokens[0])
    assert (logits - expected).abs().max() < 1e-5 * expected.abs().max()
