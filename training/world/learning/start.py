"""The untrained model of a run: text vocabulary, configuration, random weights, untrained image tokenizer."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.tokenizer.movqgan import MoVQGANConfig
from services.worker.engine.model.config import ModelConfig
from services.worker.engine.model.transformer import Transformer
from training.movqgan import begin
from training.scratch import initialise
from training.tokenizer.trainer import START
from training.transformer.model_folder import write_model_folder
from training.transformer.text_vocabulary import train_text_vocabulary
from training.world.codes import alphabet
from training.world.examples import sample_example
from training.world.learning.card import write_card
from training.world.learning.sequences import text_of
from training.world.scene import CANVASES, MAIN

TOKENIZER = "tokenizer"
"""Subfolder of a run with the training of its image tokenizer."""
MODEL = "start"
"""Subfolder of a run with the untrained model."""
_ROUND = 64
"""The vocabulary size is rounded up to a multiple of this, which makes matrix products faster."""
_GRIDS = 8
"""Longest side of a picture, in units of 32 pixels; two panels of the main size are six high."""


@dataclass(frozen=True, slots=True)
class WorldShape:
    """Sizes of the decoder and of the image tokenizer.

    words: text tokens in addition to the 256 bytes. prompts: texts that the vocabulary is learned from.
    channels: of the image tokenizer at full resolution; components: length of its codebook's vectors.
    """

    hidden: int = 288
    layers: int = 8
    heads: int = 9
    words: int = 600
    prompts: int = 8000
    channels: int = 16
    deepest: int = 10
    components: int = 64


def tokenizer_config(shape: WorldShape) -> MoVQGANConfig:
    """Eight pixels per token and no attention, since a cell depends only on cells nearby.

    The level of the token grid, where the looks of things and landscapes are kept, has the most channels.
    """
    return MoVQGANConfig(
        ch=shape.channels,
        ch_mult=(1, 2, 4, shape.deepest),
        num_res_blocks=1,
        attn_resolutions=(),
        n_embed=len(alphabet()),
        embed_dim=shape.components,
        z_channels=shape.components,
        resolution=64,
        mid_attention=False,
        norm_groups=8,
    )


def model_config(shape: WorldShape, *, vocabulary: int) -> ModelConfig:
    """The decoder's configuration. vocabulary: number of text, control and image tokens."""
    return ModelConfig(
        vocab_size=-(-vocabulary // _ROUND) * _ROUND,
        hidden_size=shape.hidden,
        intermediate_size=-(-shape.hidden * 8 // 3 // 32) * 32,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
    )


def start_run(run: Path, shape: WorldShape, *, seed: int) -> int:
    """Write the untrained image tokenizer and model of a run; returns the decoder's number of parameters.

    An image tokenizer that exists stays as it is. Raises TrainingError if it has another configuration.
    """
    begin(run / TOKENIZER, tokenizer_config(shape), seed=seed, meanings=alphabet())
    rng = np.random.default_rng(seed)
    texts = [text_of(sample_example(rng, CANVASES[n % len(CANVASES)])) for n in range(shape.prompts)]
    tokenizer = train_text_vocabulary(texts, words=shape.words, codes=len(alphabet()), grids=_GRIDS)
    config = model_config(shape, vocabulary=tokenizer.get_vocab_size())
    model = Transformer(config)
    initialise(model, seed)
    others = [str(canvas) for canvas in CANVASES if canvas != MAIN]
    movqgan = run / TOKENIZER / START
    write_model_folder(run / MODEL, model, tokenizer, movqgan, image_size=str(MAIN), other_sizes=others)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    write_card(run / MODEL, config, parameters)
    return parameters
