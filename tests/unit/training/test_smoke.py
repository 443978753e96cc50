"""Both trainings end to end with tiny sizes: the result is an ordinary model folder."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from luminary.local.pipeline import LocalPipeline
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.layout.prompts import PictureRequest
from services.worker.engine.loading.load import load_model
from services.worker.engine.loading.weight_streaming import load_transformer
from services.worker.engine.sampling.filters import SamplingParameters
from shared.tasks import Task
from tests.support.models.checkpoint_files import write_checkpoint
from tests.support.training.programs import SIZES
from training.checkpoints import latest_checkpoint, read_checkpoint, save_checkpoint
from training.data.sequences import SequenceStore
from training.export import export_model
from training.smoke import smoke
from training.transformer.model_folder import copy_with_weights

pytestmark = pytest.mark.slow


def test_the_trained_folder_loads_and_draws(smoke_run: Path) -> None:
    pipeline = LocalPipeline.load(smoke_run / "model")
    assert pipeline.default_size == PictureSize(64, 64)
    request = PictureRequest(Task.TEXT_TO_IMAGE, "a red ball", pipeline.default_size)
    sampling = SamplingParameters(seed=3, guidance_scale=2.0)
    first, again = (pipeline.draw(request, sampling)[0] for _ in range(2))
    assert first.image.size == (64, 64)
    assert first.grid == again.grid


def test_training_lowered_the_loss(smoke_run: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(smoke_run / "run/tensorboard")).Reload()
    losses = [event.value for event in events.Scalars("loss")]
    assert len(losses) >= 2
    assert losses[-1] < losses[0]
    scalars = events.Tags()["scalars"]
    assert isinstance(scalars, list)
    assert {"accuracy", "gradient", "rate", "tokens_per_second"} <= set(scalars)


def test_the_export_has_the_averaged_weights_of_the_last_checkpoint(smoke_run: Path, tmp_path: Path) -> None:
    path = latest_checkpoint(smoke_run / "run/checkpoints")
    assert path is not None
    state = read_checkpoint(path)
    assert state["step"] == SIZES.steps
    name = "layers.0.mlp.down_proj.weight"
    for averaged, kind in ((True, "averaged"), (False, "masters")):
        out = tmp_path / kind
        export = export_model(smoke_run / "start", smoke_run / "run", out, averaged=averaged)
        assert export == (SIZES.steps, False)
        weights = load_file(out / "model.safetensors")
        assert torch.equal(weights[f"model.{name}"], state[kind][name])
    assert not torch.equal(state["averaged"][name], state["masters"][name])


def test_the_weights_of_several_runs_are_averaged(smoke_run: Path, tmp_path: Path) -> None:
    path = latest_checkpoint(smoke_run / "run/checkpoints")
    assert path is not None
    state = read_checkpoint(path)
    lifted = {name: weight + 2 for name, weight in state["averaged"].items()}
    save_checkpoint(tmp_path / "other/checkpoints", SIZES.steps + 1, {"averaged": lifted})
    export = export_model(
        smoke_run / "start", smoke_run / "run", tmp_path / "out", others=[tmp_path / "other"]
    )
    assert export == (SIZES.steps + 1, False)
    name = "layers.0.mlp.down_proj.weight"
    weights = load_file(tmp_path / "out/model.safetensors")
    torch.testing.assert_close(weights[f"model.{name}"], state["averaged"][name] + 1)


def test_runs_of_different_models_cannot_be_averaged(smoke_run: Path, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "other/checkpoints", 1, {"averaged": {"weight": torch.zeros(2)}})
    with pytest.raises(ValueError, match="cannot be averaged"):
        export_model(smoke_run / "start", smoke_run / "run", tmp_path / "out", others=[tmp_path / "other"])


def test_a_run_without_a_checkpoint_cannot_be_exported(smoke_run: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no checkpoint yet"):
        export_model(smoke_run / "start", tmp_path, tmp_path / "out")


def test_a_sharded_model_is_copied_with_its_tokenizer_but_without_adapters_and_card(tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    config = write_checkpoint(source, sharded=True)
    (source / "movqgan_270M.ckpt").write_bytes(b"codes")
    (source / "MODEL_CARD.md").write_text("# The old weights\n")
    (source / "adapters/style").mkdir(parents=True)
    model, _ = load_transformer(source, config, torch.float32, torch.device("cpu"))
    weights = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    copy_with_weights(source, out, weights)
    copied, _ = load_transformer(out, config, torch.float32, torch.device("cpu"))
    assert not any(p.any() for p in copied.parameters())
    expected = {file.name for file in source.iterdir() if "safetensors" not in file.name} - {
        "adapters",
        "MODEL_CARD.md",
    }
    assert {file.name for file in out.iterdir()} == expected | {"model.safetensors"}


def test_a_run_of_another_model_is_not_exported(smoke_run: Path, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "other", num_hidden_layers=1)
    with pytest.raises(ValueError, match="trained another model"):
        export_model(tmp_path / "other", smoke_run / "run", tmp_path / "out")


def test_a_second_call_does_not_train_again(smoke_run: Path) -> None:
    path = latest_checkpoint(smoke_run / "run/checkpoints")
    assert path is not None
    before = path.stat().st_mtime_ns
    smoke(smoke_run, SIZES)
    assert path.stat().st_mtime_ns == before


def test_pretokenised_sequences_have_the_layout_of_the_engine(smoke_run: Path) -> None:
    store = SequenceStore.read(smoke_run / "data")
    assert len(store) == SIZES.examples
    vocabulary = load_model(smoke_run / "start").vocabulary
    for number in range(len(store)):
        sequence = store.sequence(number)
        assert sequence.tokens[0] == vocabulary.begin_of_sequence
        assert sequence.tokens[sequence.image_start] == vocabulary.image_start
        assert sequence.tokens[-1] == vocabulary.image_end
        assert vocabulary.is_image_token(sequence.tokens[sequence.result_start])
    assert np.unique(store.index[:, 1]).size > 5
