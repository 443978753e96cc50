"""Infer the configuration from the shapes of a state dict, for a checkpoint without a configuration file."""

import re
from collections.abc import Mapping

from services.tokenizer.movqgan.config import MoVQGANConfig
from services.tokenizer.movqgan.errors import CheckpointError

_RESOLUTION = 256
"""Resolution of the public models; only its ratio to attn_resolutions matters."""


def infer_config(shapes: Mapping[str, tuple[int, ...]]) -> MoVQGANConfig:
    """Infer the configuration of these weights.

    shapes: state dict key to shape. Settings that shapes do not show get the public values: 32 norm groups,
    no dropout. Raises CheckpointError with the name of the weight that is missing.
    """

    def dimension(key: str, axis: int) -> int:
        shape = shapes.get(key, ())
        if axis >= len(shape):
            raise CheckpointError(
                f"the checkpoint has no configuration file, and it cannot be inferred from the weights: "
                f"{key} is missing or has no axis {axis}"
            )
        return shape[axis]

    ch = dimension("encoder.conv_in.weight", 0)
    levels = range(_count(shapes, r"encoder\.down\.(\d+)\."))
    widths = [dimension(f"encoder.down.{level}.block.0.conv1.weight", 0) for level in levels]
    attended = [level for level in levels if f"encoder.down.{level}.attn.0.q.weight" in shapes]
    return MoVQGANConfig(
        ch=ch,
        ch_mult=tuple(width // ch for width in widths),
        num_res_blocks=_count(shapes, r"encoder\.down\.0\.block\.(\d+)\."),
        attn_resolutions=tuple(_RESOLUTION >> level for level in attended),
        n_embed=dimension("quantize.embedding.weight", 0),
        embed_dim=dimension("quantize.embedding.weight", 1),
        z_channels=dimension("encoder.conv_out.weight", 0),
        resolution=_RESOLUTION,
        in_channels=dimension("encoder.conv_in.weight", 1),
        out_ch=dimension("decoder.conv_out.weight", 0),
        mid_attention="encoder.mid.attn_1.q.weight" in shapes,
    )


def _count(shapes: Mapping[str, tuple[int, ...]], pattern: str) -> int:
    """Number of numbered parts, from the highest number."""
    matches = (re.match(pattern, key) for key in shapes)
    return max((int(match[1]) + 1 for match in matches if match), default=0)
