"""Every variant of LoRA in peft is merged as peft merges it, or refused with the name of the setting."""

import json
import shutil
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import ChameleonForConditionalGeneration

from services.worker.engine.errors import CheckpointError
from services.worker.engine.loading.adapter_settings import KEEP_BASE_WEIGHTS
from services.worker.engine.loading.adapters import load_adapter
from services.worker.engine.loading.checkpoint import open_checkpoint
from services.worker.engine.loading.load import load_model
from services.worker.engine.model.config import ModelConfig
from tests.support.models.checkpoint_files import write_checkpoint
from tests.support.models.transformers_decoder import theirs

pytestmark = [
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:peft"),
]

REFUSED_IN_OTHER_WORDS = {"peft_type", "lora_alpha", "r", "layers_to_transform", "target_modules"}
"""Settings whose refusal describes the fault in other words than the setting's name."""

CASES = Path(__file__).parents[1] / "cases"
TINY = Path(__file__).parents[2] / "models/tiny"
QUERY = r"model\.layers\.\d+\.self_attn\.q_proj"

MERGED: dict[str, dict[str, object]] = {
    "plain": {"target_modules": ["q_proj", "v_proj"]},
    "alpha": {"lora_alpha": 3, "target_modules": ["up_proj"]},
    "rank-stabilised": {"use_rslora": True, "target_modules": ["q_proj"]},
    "ranks": {"rank_pattern": {"v_proj": 2}, "target_modules": ["q_proj", "v_proj"]},
    "ranks by expression": {"rank_pattern": {r"layers\.[01]\..*": 2}, "target_modules": ["q_proj"]},
    "alphas": {"alpha_pattern": {"v_proj": 16}, "target_modules": ["q_proj", "v_proj"]},
    "both, stabilised": {
        "use_rslora": True,
        "rank_pattern": {r"^model\.layers\.0\.self_attn\.q_proj": 2},
        "alpha_pattern": {r"layers\.1\.self_attn\.q_proj": 1},
        "target_modules": ["q_proj"],
    },
    "expression": {"target_modules": QUERY},
    "every linear layer": {"target_modules": "all-linear", "exclude_modules": r".*vqmodel.*"},
    "without some": {
        "target_modules": ["q_proj", "v_proj"],
        "exclude_modules": ["layers.1.self_attn.q_proj"],
    },
    "without an expression": {"target_modules": ["q_proj"], "exclude_modules": r".*layers\.0\..*"},
    "one layer": {"target_modules": ["q_proj"], "layers_to_transform": 1},
    "two layers": {
        "target_modules": ["q_proj"],
        "layers_to_transform": [0, 2],
        "layers_pattern": "layers",
    },
    "head": {"target_modules": ["lm_head"]},
    "dropout in training": {"lora_dropout": 0.5, "target_modules": ["q_proj"]},
    "gaussian": {"init_lora_weights": "gaussian", "target_modules": ["q_proj"]},
    "orthogonal": {"init_lora_weights": "orthogonal", "target_modules": ["q_proj"]},
    "minor components": {"init_lora_weights": "mica", "target_modules": ["q_proj"]},
}

REFUSED: dict[str, tuple[dict[str, object], str]] = {
    "PiSSA": ({"init_lora_weights": "pissa"}, "init_lora_weights 'pissa', which changes the base"),
    "PiSSA, fast": ({"init_lora_weights": "pissa_niter_4"}, "init_lora_weights 'pissa_niter_4'"),
    "OLoRA": ({"init_lora_weights": "olora"}, "init_lora_weights 'olora'"),
    "DoRA": ({"use_dora": True}, "use_dora True"),
    "biases": ({"bias": "all"}, "bias 'all'"),
    "whole modules": ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
    "tokens": ({"trainable_token_indices": [1, 2]}, "trainable_token_indices"),
    "bias of the factor": ({"lora_bias": True}, "lora_bias True"),
}


def adapted(folder: Path, config: ModelConfig, **settings: Any) -> Any:
    """The model of a folder in transformers, with an adapter of random factors."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        model = get_peft_model(theirs(folder, config), LoraConfig(r=4, **settings)).eval()
        for name, parameter in model.named_parameters():
            if ".lora_" in name:
                torch.nn.init.normal_(parameter, std=0.1)
    return model


def merged_by_peft(model: Any) -> dict[str, torch.Tensor]:
    plain: ChameleonForConditionalGeneration = model.merge_and_unload()
    return {name: weight for name, weight in plain.state_dict().items() if name.endswith("weight")}


@pytest.mark.parametrize("variant", MERGED)
@torch.inference_mode()
def test_a_variant_is_merged_as_peft_merges_it(tmp_path: Path, variant: str) -> None:
    config = write_checkpoint(tmp_path / "model", seed=5)
    model = adapted(tmp_path / "model", config, **MERGED[variant])
    model.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    adapter = load_adapter(tmp_path / "adapter", config)
    expected = merged_by_peft(model)
    changed = 0
    for name, _, stored in open_checkpoint(tmp_path / "model", config).tensors():
        if not name.endswith(("_proj.weight", "lm_head.weight")):
            continue
        torch.testing.assert_close(adapter.merged(name, stored), expected[name], atol=1e-6, rtol=1e-5)
        changed += not torch.equal(expected[name], stored)
    assert changed == len(adapter.factors) > 0


@pytest.mark.parametrize("variant", REFUSED)
def test_a_variant_that_the_merge_does_not_know_is_refused_by_name(tmp_path: Path, variant: str) -> None:
    settings, message = REFUSED[variant]
    config = write_checkpoint(tmp_path / "model", seed=5, attention_bias=True)
    model = adapted(tmp_path / "model", config, target_modules=["q_proj"], **settings)
    model.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    with pytest.raises(CheckpointError, match=message):
        load_adapter(tmp_path / "adapter", config)


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, ModelConfig]:
    """The folder of an ordinary adapter, and its model's configuration."""
    config = write_checkpoint(tmp_path / "model", seed=5)
    model = adapted(tmp_path / "model", config, target_modules=["q_proj", "v_proj"])
    model.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter", config


def change(folder: Path, **settings: object) -> None:
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))


@pytest.mark.parametrize(
    "initialisation", ["pissa", "pissa_niter_16", "olora", "corda", "loftq", "lora_ga", "future"]
)
def test_initialisations_that_change_the_base_are_refused(
    saved: tuple[Path, ModelConfig], initialisation: str
) -> None:
    folder, config = saved
    change(folder, init_lora_weights=initialisation)
    with pytest.raises(CheckpointError, match=f"init_lora_weights '{initialisation}'"):
        load_adapter(folder, config)


@pytest.mark.parametrize("initialisation", KEEP_BASE_WEIGHTS)
def test_other_initialisations_are_merged(saved: tuple[Path, ModelConfig], initialisation: object) -> None:
    folder, config = saved
    change(folder, init_lora_weights=initialisation)
    assert len(load_adapter(folder, config).factors) == 2 * config.num_hidden_layers


def test_every_setting_of_peft_is_used_ignored_or_refused(saved: tuple[Path, ModelConfig]) -> None:
    """The merge uses, ignores or refuses (by name) every setting of the installed peft."""
    folder, config = saved
    before = (folder / "adapter_config.json").read_text()
    refused: set[str] = set()
    for name in [*(field.name for field in fields(LoraConfig)), "future_setting"]:
        change(folder, **{name: ["of chance"]})
        try:
            load_adapter(folder, config)
        except CheckpointError as error:
            refused.add(name if name in str(error) or name in REFUSED_IN_OTHER_WORDS else f"{name}: {error}")
        (folder / "adapter_config.json").write_text(before)
    assert "future_setting" in refused
    passed = {field.name for field in fields(LoraConfig)} - refused
    assert passed == {
        *("task_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision"),
        *("inference_mode", "use_rslora", "exclude_modules", "lora_dropout", "megatron_core"),
        *("loftq_config", "eva_config", "corda_config", "lora_ga_config", "qalora_group_size"),
        *("runtime_config", "layers_pattern"),
    }


def test_an_untrained_pissa_adapter_is_refused() -> None:
    """Regression: it was merged with wrong weights (88 % off in q and v) and gave other pictures."""
    with pytest.raises(CheckpointError, match=r"adapter_pissa.* init_lora_weights 'pissa'"):
        load_model(TINY, adapter=str(CASES / "adapter_pissa"))


def test_an_adapter_without_factors_is_refused() -> None:
    """Regression: the base model's picture was returned under the adapter's name."""
    with pytest.raises(CheckpointError, match=r"adapter_empty.* has no factors"):
        load_model(TINY, adapter=str(CASES / "adapter_empty"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("part", r"has no factors for model\.layers\.0\.self_attn\.v_proj\.weight and 2 more"),
        ("surplus", r"does not name: model\.layers\.0\.self_attn\.v_proj\.weight and 2 more"),
        ("not a number", r"v_proj\.lora_B\.weight contains NaN or infinity"),
        ("infinite", r"v_proj\.lora_B\.weight contains NaN or infinity"),
        ("too large", r"v_proj\.weight is not finite with the adapter adapter"),
    ],
)
def test_incomplete_adapters_are_refused(saved: tuple[Path, ModelConfig], damage: str, message: str) -> None:
    folder, _ = saved
    file = folder / "adapter_model.safetensors"
    weights = load_file(file)
    match damage:
        case "part":
            weights = {name: value for name, value in weights.items() if "v_proj" not in name}
        case "surplus":
            change(folder, target_modules=["q_proj"])
        case _:
            value = {"not a number": torch.nan, "infinite": torch.inf, "too large": 3e38}[damage]
            weights[next(name for name in weights if "v_proj.lora_B" in name)].fill_(value)
            weights[next(name for name in weights if "v_proj.lora_A" in name)].fill_(1.0)
    save_file(weights, file)
    model = folder.parent / "model"
    shutil.copytree(folder, model / "adapters/adapter")
    with pytest.raises(CheckpointError, match=message):
        load_model(model, adapter="adapter")
