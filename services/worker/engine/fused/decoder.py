"""All layers of a pass in one call of compiled code: for the CPU, where a step is short.

Layer by layer, PyTorch spends more time between the products of a decoding step than on them, and its own
products leave a third of the memory's bandwidth unused. Here the threads of a pass stay in machine code from
the embeddings to the last norm (docs/decisions/0011-a-pass-in-one-call.md).
"""

from collections.abc import Sequence
from copy import copy
from typing import Final, cast

import numpy as np
import torch
from torch import Tensor, nn

from services.worker.engine.config import ModelConfig
from services.worker.engine.fused.arrays import (
    BYTES,
    FLOATS,
    HALVES,
    MATRIX_BYTES,
    MATRIX_HALVES,
    Floats,
    Pass,
    Rows,
    Shape,
    Weights,
)
from services.worker.engine.fused.features import MATRIX_UNITS
from services.worker.engine.fused.matrix_units import TILE_BYTES, TILE_ROWS
from services.worker.engine.fused.packing import PackedMatrix, interleave, pack, padded
from services.worker.engine.fused.passes import PHASES_PER_LAYER, run_pass
from services.worker.engine.fused.phases import new_counters
from services.worker.engine.fused.products import HALF
from services.worker.engine.fused.threads import run_together
from services.worker.engine.fused.tiles import BLOCK
from services.worker.engine.kv_cache import KVCache, Segment
from services.worker.engine.precision import Precision, Quantization
from services.worker.engine.row_shapes import MAX_ROWS
from services.worker.engine.transformer import DecoderLayer, Transformer

FIRST_POSITIONS: Final = 1024
"""Of which the table of rotary angles has at least so many."""


class FusedDecoder:
    """The layers and the last norm of a transformer. It computes in float32.

    Weights are float32, bfloat16 or int8, keys and values in the pool float32 or bfloat16.
    Takes the layers' weights over one by one; the transformer has none afterwards.
    """

    def __init__(self, model: Transformer, precision: Precision) -> None:
        config = model.config
        self.embed_tokens = model.embed_tokens
        self.rotary = model.rotary
        self.dtype = precision.dtype
        self.shape = shape_of(config, precision)
        norms: list[Tensor] = []
        heads: list[tuple[Tensor, Tensor]] = []
        self.matrices: list[list[PackedMatrix]] = []
        biases: list[Tensor] = []
        for layer in cast("list[DecoderLayer]", list(model.layers)):
            norms += [layer.input_layernorm.weight, layer.post_attention_layernorm.weight]
            heads.append(layer.self_attn.norms.affine())
            self.matrices.append([])
            for weight, bias in products(layer):
                self.matrices[-1].append(pack(weight, self.shape.form))
                biases.append(nn.functional.pad(bias, (0, padded(len(bias)) - len(bias))))
            layer.drop_projections()
        self.weights = Weights(
            packed=np.array([[each.address for each in layer] for layer in self.matrices]),
            scales=np.stack([np.concatenate([each.scales for each in layer]) for layer in self.matrices]),
            biases=torch.cat(biases).float().view(config.num_hidden_layers, -1).numpy(),
            norms=torch.stack([*norms, model.norm.weight]).float().numpy(),
            head_weight=torch.stack([weight for weight, _ in heads]).float().numpy(),
            head_bias=torch.stack([bias for _, bias in heads]).float().numpy(),
        )
        self.counters = new_counters(1 + PHASES_PER_LAYER * config.num_hidden_layers)
        self._rows = new_rows(self.shape, 2)
        self._rotary = np.zeros((0, 2, config.head_dim), np.float32)

    @property
    def nbytes(self) -> int:
        """Bytes of the packed weights."""
        return sum(matrix.nbytes for layer in self.matrices for matrix in layer)

    def first_layer(self) -> "FusedDecoder":
        """A decoder of the first layer alone, on the same weights: to try what a pass does and takes."""
        first = copy(self)
        first.shape = self.shape._replace(layers=1)
        first.weights = self.weights._replace(norms=self.weights.norms[:3])
        return first

    def __call__(
        self, token_ids: Tensor, positions: Tensor, cache: KVCache, segments: Sequence[Segment]
    ) -> Tensor:
        """token_ids and positions [rows] -> final hidden states [rows, hidden], after the last norm.

        segments: all rows, in order. One pass at a time.
        """
        count = len(token_ids)
        rows = self._buffers(count)
        rows.residual[:count] = self.embed_tokens(token_ids).float().numpy()
        rows.rotary[:count] = self._rotary_of(positions)
        rows = rows._replace(
            segments=np.array([(each.row, each.count, each.position, each.run.start) for each in segments])
        )
        self.counters[:] = 0
        work = Pass(
            self.shape,
            self.weights,
            rows,
            count,
            max(each.position + each.count for each in segments),
            cache.keys.data_ptr(),
            cache.values.data_ptr(),
            np.array(cache.keys.stride()[:3]) * cache.keys.itemsize,
            self.counters,
        )
        run_together(run_pass, work)
        return torch.from_numpy(rows.normed[:count].copy()).to(self.dtype)

    def _rotary_of(self, positions: Tensor) -> Floats:
        """[rows, 2, head_dim] cosines and signed sines, from a table that grows to the longest stream."""
        known, needed = len(self._rotary), int(positions.max()) + 1
        if needed > known:
            longer = torch.arange(max(needed, 2 * known, FIRST_POSITIONS))
            self._rotary = torch.cat(self.rotary(longer, torch.float32), 1).numpy()
        return self._rotary[positions.numpy()]

    def _buffers(self, count: int) -> Rows:
        if count > len(self._rows.residual):
            self._rows = new_rows(self.shape, max(count, MAX_ROWS))
        return self._rows


def shape_of(config: ModelConfig, precision: Precision) -> Shape:
    """Sizes as the compiled pass reads them."""
    heads = config.num_attention_heads + 2 * config.num_key_value_heads
    pool = HALVES if precision.dtype is torch.bfloat16 else FLOATS
    return Shape(
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        inner=config.intermediate_size,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        head_dim=config.head_dim,
        qkv=padded(heads * config.head_dim),
        added=padded(config.hidden_size),
        gate_up=-(-config.intermediate_size // HALF) * BLOCK,
        eps=config.rms_norm_eps,
        swin_norm=config.swin_norm,
        form=form_of(precision),
        pool=pool,
    )


def form_of(precision: Precision) -> int:
    """Of the weights."""
    if precision.quantization is Quantization.INT8:
        return MATRIX_BYTES if MATRIX_UNITS else BYTES
    if precision.dtype is torch.bfloat16:
        return MATRIX_HALVES if MATRIX_UNITS else HALVES
    return FLOATS


def new_rows(shape: Shape, count: int) -> Rows:
    """Buffers of a pass of up to `count` rows."""
    attended = shape.heads * shape.head_dim
    widest = max(shape.hidden, attended, shape.inner)

    def floats(*sizes: int):
        return np.zeros((count, *sizes), np.float32)

    return Rows(
        residual=floats(shape.hidden),
        normed=floats(shape.hidden),
        fixed=np.zeros((count + -count % TILE_ROWS, widest + TILE_BYTES - widest % TILE_BYTES), np.int16),
        fixed_scales=np.zeros(count, np.float32),
        qkv=floats(shape.qkv),
        attended=floats(attended),
        added=floats(shape.added),
        inner=floats(shape.inner),
        rotary=floats(2, shape.head_dim),
        segments=np.zeros((0, 4), np.int64),
    )


def products(layer: DecoderLayer) -> list[tuple[Tensor, Tensor]]:
    """Weights and biases of the four products of a layer, in their order."""
    attention, mlp = layer.self_attn, layer.mlp
    qkv = [_affine(part) for part in attention.qkv.parts()]
    (gate, gate_bias), (up, up_bias) = [_affine(part) for part in mlp.gate_up.parts()]
    return [
        (torch.cat([weight for weight, _ in qkv]), torch.cat([bias for _, bias in qkv])),
        _affine(attention.o_proj),
        (interleave(gate, up), interleave(gate_bias, up_bias)),
        _affine(mlp.down_proj),
    ]


def _affine(linear: nn.Linear) -> tuple[Tensor, Tensor]:
    bias = dict(linear.named_parameters()).get("bias")
    weight = linear.weight.detach()
    return weight, torch.zeros(len(weight), dtype=weight.dtype) if bias is None else bias.detach()
