"""Merged adapters compared with peft on the Chameleon of Hugging Face transformers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import ChameleonForConditionalGeneration

from benchmarks.parity.streams import dense_states
from services.worker.engine.engine import Engine, EngineOptions
from services.worker.engine.errors import CheckpointError
from services.worker.engine.kernels.precision import Precision
from services.worker.engine.loading.load import load_model
from services.worker.engine.model.config import ModelConfig
from tests.support.models.checkpoint_files import write_checkpoint
from tests.support.models.drawing_requests import request_for
from tests.support.models.transformers_decoder import TOKENS, theirs

# peft uses a property that the newest transformers deprecates
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")

ATTENTION, FEED_FORWARD = ["q_proj", "k_proj", "v_proj", "o_proj"], ["gate_proj", "up_proj", "down_proj"]

ADAPTERS: dict[str, dict[str, object]] = {
    "attention": {"r": 4, "target_modules": ATTENTION},
    "every projection": {"r": 2, "lora_alpha": 7, "target_modules": ATTENTION + FEED_FORWARD},
    "rank-stabilised": {"r": 8, "use_rslora": True, "target_modules": ["v_proj", "up_proj"]},
    "ranks of their own": {"r": 4, "rank_pattern": {"v_proj": 2}, "target_modules": ["q_proj", "v_proj"]},
    "output head": {"r": 4, "target_modules": ["lm_head"]},
    "one layer": {
        "r": 4,
        "target_modules": ["q_proj"],
        "layers_to_transform": [1],
        "layers_pattern": "layers",
    },
}


def tuned(model: ChameleonForConditionalGeneration, **settings: Any) -> Any:
    """The model with a random adapter on its decoder."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        return get_peft_model(model, LoraConfig(init_lora_weights=False, **settings)).eval()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A model folder with an adapter called `style`."""
    config = write_checkpoint(tmp_path / "model", seed=5)
    model = tuned(theirs(tmp_path / "model", config), **ADAPTERS["attention"])
    model.save_pretrained(tmp_path / "model/adapters/style")
    return tmp_path / "model"


@pytest.mark.parametrize("kind", ADAPTERS)
@torch.inference_mode()
def test_merged_weights_give_the_logits_of_peft(tmp_path: Path, kind: str) -> None:
    config = write_checkpoint(tmp_path / "model", seed=5, num_key_value_heads=2)
    model = theirs(tmp_path / "model", config)
    plain = model(input_ids=TOKENS[None]).logits[0]
    adapted = tuned(model, **ADAPTERS[kind])
    adapted.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    expected = adapted(input_ids=TOKENS[None]).logits[0]
    ours = load_model(tmp_path / "model", Precision(), adapter=str(tmp_path / "adapter"))
    _, logits = dense_states(ours, TOKENS)
    # random adapters change activations a lot, so the tolerance is relative
    assert (expected - plain).abs().max() > 0.1
    assert (logits - expected).abs().max() < 1e-5 * expected.abs().max()


def test_an_adapter_is_loaded_by_its_name_and_changes_what_is_drawn(saved: Path) -> None:
    plain, styled = load_model(saved, Precision()), load_model(saved, Precision(), adapter="style")
    assert (plain.adapter, styled.adapter) == (None, "style")
    drawn: list[tuple[int, ...]] = []
    for loaded in (plain, styled):
        engine = Engine(loaded, EngineOptions())
        handle = engine.submit(request_for(loaded, seed=1))
        engine.run_until_idle()
        drawn.append(handle.result_codes())
    assert drawn[0] != drawn[1]


@pytest.mark.parametrize("precision", ["bf16", "bf16+int8"])
def test_an_adapter_is_merged_before_weights_are_rounded(saved: Path, precision: str) -> None:
    exact = load_model(saved, Precision(), adapter="style")
    rounded = load_model(saved, Precision.from_name(precision), adapter="style")
    _, expected = dense_states(exact, TOKENS)
    _, logits = dense_states(rounded, TOKENS)
    assert (logits - expected).abs().mean() < 0.05 * expected.std()


def test_an_unknown_adapter_is_refused_with_the_known_names(saved: Path) -> None:
    with pytest.raises(CheckpointError, match="no adapter 'other'; the adapters of the model are style"):
        load_model(saved, Precision(), adapter="other")


def change_config(**settings: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = folder / "adapter_config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | settings))

    return change


def change_weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def rewrite(folder: Path) -> None:
        file = folder / "adapter_model.safetensors"
        weights = load_file(file)
        change(weights)
        save_file(weights, file)

    return rewrite


FIRST = "base_model.model.model.layers.0.self_attn.q_proj.lora_{}.weight"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (change_config(use_dora=True), "cannot be merged: use_dora True"),
        (change_config(bias="all"), "cannot be merged: bias 'all'"),
        (change_config(modules_to_save=["lm_head"]), "modules_to_save"),
        (change_config(alpha_pattern={"q_proj": "much"}), "alpha_pattern has 'much' for 'q_proj'"),
        (change_config(target_modules="("), "a setting that is not valid"),
        (change_config(target_modules=None), "target_modules names no layer"),
        (change_config(r=8), "have rank 4, but adapter_config.json sets 8"),
        (change_config(peft_type="IA3"), "does not describe a LoRA adapter"),
        (change_config(lora_alpha=None), "does not describe a LoRA adapter"),
        (lambda folder: (folder / "adapter_config.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "adapter_model.safetensors").write_bytes(b"x"), "cannot be read"),
        (lambda folder: (folder / "adapter_model.safetensors").unlink(), "cannot be read"),
        (change_weights(lambda weights: weights.pop(FIRST.format("B"))), "factors of .* do not match"),
        (
            change_weights(lambda weights: weights.update({FIRST.format("B"): torch.zeros(64, 3)})),
            "factors of .* do not match",
        ),
        (
            change_weights(lambda weights: weights.update({FIRST.format("A"): torch.zeros(4, 32)})),
            "made for another model",
        ),
        (change_weights(lambda weights: weights.update({"lora_x": torch.zeros(1)})), "not a LoRA factor of"),
    ],
)
def test_an_adapter_that_cannot_be_merged_is_refused(
    saved: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(saved / "adapters/style")
    with pytest.raises(CheckpointError, match=message):
        load_model(saved, Precision(), adapter="style")


def test_an_adapter_of_a_larger_model_is_refused(saved: Path, tmp_path: Path) -> None:
    config: ModelConfig = write_checkpoint(tmp_path / "small", num_hidden_layers=2)
    assert config.num_hidden_layers == 2
    with pytest.raises(CheckpointError, match=r"made for another model: the shape of model\.layers\.2"):
        load_model(tmp_path / "small", Precision(), adapter=str(saved / "adapters/style"))
