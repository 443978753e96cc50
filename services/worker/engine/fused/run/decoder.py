"""The fused decoder: all layers of a pass on the CPU in one call of compiled code.

In a decoding step PyTorch spends more time between matrix products than on them, and its products leave a
third of the memory bandwidth unused. Here the threads of a pass stay in machine code from the embeddings to
the last norm (docs/decisions/0011-a-pass-in-one-call.md).
"""

from collections.abc import Iterator, Sequence
from copy import copy
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from services.worker.engine.fused.codegen.arrays import (
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
from services.worker.engine.fused.codegen.features import MATRIX_UNITS
from services.worker.engine.fused.codegen.matrix_units import TILE_BYTES, TILE_ROWS
from services.worker.engine.fused.codegen.tiles import BLOCK
from services.worker.engine.fused.run.packing import PackedMatrix, interleave, pack, padded
from services.worker.engine.fused.run.passes import PHASES_PER_LAYER, run_pass
from services.worker.engine.fused.run.phases import new_counters
from services.worker.engine.fused.run.products import HALF
from services.worker.engine.fused.run.threads import run_together
from services.worker.engine.kernels.precision import Precision, Quantization
from services.worker.engine.model.config import ModelConfig
from services.worker.engine.model.kv_cache import KVCache, Segment
from services.worker.engine.model.transformer import DecoderLayer, Transformer
from services.worker.engine.row_shapes import MAX_ROWS

FIRST_POSITIONS: Final = 1024
"""Smallest number of positions in the table of rotary angles."""


class PackedLayer:
    """A decoder layer as the compiled pass reads it: packed matrices, unchanged norms.

    The layer that it is made from loses the weights of its matrix products.
    """

    @torch.no_grad()
    def __init__(self, layer: DecoderLayer, form: int) -> None:
        """form: storage format of the weights; see `form_of`."""
        self.norms = [layer.input_layernorm.weight, layer.post_attention_layernorm.weight]
        self.head_weight, self.head_bias = layer.self_attn.norms.affine()
        self.matrices: list[PackedMatrix] = []
        biases: list[Tensor] = []
        for weight, bias in products(layer):
            self.matrices.append(pack(weight, form))
            biases.append(nn.functional.pad(bias, (0, padded(len(bias)) - len(bias))))
        layer.drop_projections()
        self.biases = torch.cat(biases).float()
        self.scales = np.concatenate([each.scales for each in self.matrices])


class FusedDecoder:
    """The layers and the last norm of a transformer, computed in float32.

    Weights are stored as float32, bfloat16 or int8, keys and values as float32 or bfloat16.
    """

    def __init__(self, model: Transformer, precision: Precision, layers: Sequence[PackedLayer]) -> None:
        """model: provides the embedding, the last norm and the rotary angles. layers: all of its layers."""
        config = model.config
        self.embed_tokens = model.embed_tokens
        self.rotary = model.rotary
        self.dtype = precision.dtype
        self.shape = shape_of(config, precision)
        self.matrices = [layer.matrices for layer in layers]
        norms = [norm for layer in layers for norm in layer.norms]
        self.weights = Weights(
            packed=np.array([[each.address for each in layer] for layer in self.matrices]),
            scales=np.stack([layer.scales for layer in layers]),
            biases=torch.stack([layer.biases for layer in layers]).numpy(),
            norms=torch.stack([*norms, model.norm.weight]).float().numpy(),
            head_weight=torch.stack([layer.head_weight for layer in layers]).float().numpy(),
            head_bias=torch.stack([layer.head_bias for layer in layers]).float().numpy(),
        )
        self.counters = new_counters(1 + PHASES_PER_LAYER * config.num_hidden_layers)
        self._rows = new_rows(self.shape, 2)
        self._rotary = np.zeros((0, 2, config.head_dim), np.float32)

    @property
    def nbytes(self) -> int:
        """Bytes of the packed weights."""
        return sum(matrix.nbytes for layer in self.matrices for matrix in layer)

    def first_layer(self) -> "FusedDecoder":
        """A decoder of the first layer only, on the same weights, for self-checks and timing."""
        first = copy(self)
        first.shape = self.shape._replace(layers=1)
        first.weights = self.weights._replace(norms=self.weights.norms[:3])
        return first

    def __call__(
        self, token_ids: Tensor, positions: Tensor, cache: KVCache, segments: Sequence[Segment]
    ) -> Tensor:
        """token_ids and positions [rows] -> final hidden states [rows, hidden], after the last norm.

        segments: cover all rows, in order. Not thread-safe: the buffers serve one pass at a time.
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
        """Cosines and signed sines [rows, 2, head_dim], from a table that grows with the largest position."""
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
    """Sizes and options that the compiled pass reads."""
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
    """Storage format of the weights, one of the constants in `arrays`."""
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


def products(layer: DecoderLayer) -> Iterator[tuple[Tensor, Tensor]]:
    """Weights and biases of a layer's four products: qkv, attention output, gate and up, down."""
    attention, mlp = layer.self_attn, layer.mlp
    qkv = [_affine(part) for part in attention.qkv.parts()]
    yield torch.cat([weight for weight, _ in qkv]), torch.cat([bias for _, bias in qkv])
    yield _affine(attention.o_proj)
    (gate, gate_bias), (up, up_bias) = [_affine(part) for part in mlp.gate_up.parts()]
    yield interleave(gate, up), interleave(gate_bias, up_bias)
    yield _affine(mlp.down_proj)


def _affine(linear: nn.Linear) -> tuple[Tensor, Tensor]:
    bias = dict(linear.named_parameters()).get("bias")
    weight = linear.weight.detach()
    return weight, torch.zeros(len(weight), dtype=weight.dtype) if bias is None else bias.detach()
