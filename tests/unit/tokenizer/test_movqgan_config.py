"""Valid MoVQGAN configurations are read, and invalid ones are refused."""

import dataclasses
from typing import Any

import pytest
import torch

from services.tokenizer.movqgan import MoVQGAN, MoVQGANConfig
from services.tokenizer.movqgan.config_inference import infer_config
from services.tokenizer.movqgan.errors import CheckpointError, MoVQGANConfigError

PUBLIC = MoVQGANConfig.preset("67M")


def changed(**changes: Any) -> MoVQGANConfig:
    return dataclasses.replace(PUBLIC, **changes)


def shapes_of(config: MoVQGANConfig) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {key: tuple(value.shape) for key, value in MoVQGAN(config).state_dict().items()}


@pytest.mark.parametrize(("name", "millions"), [("67M", 67), ("102M", 102), ("270M", 270)])
def test_a_preset_is_about_as_large_as_its_name_says(name: Any, millions: int) -> None:
    with torch.device("meta"):
        model = MoVQGAN(MoVQGANConfig.preset(name))
    assert sum(parameter.numel() for parameter in model.parameters()) == pytest.approx(
        millions * 1e6, rel=0.02
    )


def test_a_written_configuration_reads_back_the_same() -> None:
    config = changed(mid_attention=False, norm_groups=16, attn_resolutions=())
    assert MoVQGANConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ch": 100}, "does not divide"),
        ({"ch": 0}, "ch is 0"),
        ({"ch_mult": ()}, "ch_mult is empty"),
        ({"ch_mult": (1, 0)}, "ch_mult is 0"),
        ({"attn_resolutions": (0,)}, "attn_resolutions is 0"),
        ({"n_embed": 16384.0}, "n_embed is 16384.0"),
        ({"embed_dim": True}, "embed_dim is True"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"dropout": "0"}, "dropout is '0'"),
        ({"mid_attention": 1}, "mid_attention is 1"),
    ],
)
def test_an_impossible_value_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(MoVQGANConfigError, match=message):
        changed(**changes)


def test_missing_and_unknown_entries_are_named_together() -> None:
    document: dict[str, Any] = PUBLIC.to_dict()
    del document["n_embed"], document["ddconfig"]["ch"]
    document["ddconfig"]["use_flux_capacitor"] = True
    with pytest.raises(MoVQGANConfigError, match=r"\['ch', 'n_embed'\].*\['use_flux_capacitor'\]"):
        MoVQGANConfig.from_dict(document)


@pytest.mark.parametrize("entry", ["ddconfig", "model_params"])
def test_a_part_that_is_no_object_is_named(entry: str) -> None:
    with pytest.raises(MoVQGANConfigError, match=entry):
        MoVQGANConfig.from_dict({**PUBLIC.to_dict(), entry: 3})


def test_a_list_given_as_a_number_is_named() -> None:
    document: dict[str, Any] = PUBLIC.to_dict()
    document["ddconfig"]["ch_mult"] = 4
    with pytest.raises(MoVQGANConfigError, match="ch_mult is 4"):
        MoVQGANConfig.from_dict(document)


def test_a_variance_channel_is_refused() -> None:
    document: dict[str, Any] = PUBLIC.to_dict()
    document["ddconfig"]["double_z"] = True
    with pytest.raises(MoVQGANConfigError, match="double_z"):
        MoVQGANConfig.from_dict(document)


@pytest.mark.parametrize(
    "config",
    [
        MoVQGANConfig.preset("270M"),
        MoVQGANConfig.preset("102M"),
        changed(attn_resolutions=()),
        changed(attn_resolutions=(64, 32), n_embed=7, embed_dim=5, z_channels=6),
        changed(mid_attention=False, attn_resolutions=(256,), ch=32, ch_mult=(1, 3)),
    ],
)
def test_a_configuration_is_inferred_from_the_weights_shapes(config: MoVQGANConfig) -> None:
    inferred = infer_config(shapes_of(config))
    assert sorted(inferred.attn_resolutions) == sorted(config.attn_resolutions)
    assert dataclasses.replace(inferred, attn_resolutions=config.attn_resolutions) == config


def test_weights_without_a_codebook_tell_no_configuration() -> None:
    shapes = shapes_of(PUBLIC)
    del shapes["quantize.embedding.weight"]
    with pytest.raises(CheckpointError, match=r"quantize\.embedding\.weight"):
        infer_config(shapes)
