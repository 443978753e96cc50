"""Estimate the work of a prefill row, or of a code, from its position in the sequence.

A later position attends to more keys. If all rows counted the same, the estimated time of a large picture
would be a third too short at its beginning. The unit is the work of a row, or of a code, at position 0.
"""

from itertools import accumulate

from services.worker.engine.kernels.precision import Quantization
from services.worker.engine.layout.sequence_plan import SequencePlan
from services.worker.engine.loading.load import LoadedModel
from services.worker.engine.model.config import ModelConfig

BYTES_PER_WEIGHT = {Quantization.INT8: 1.0, Quantization.NF4: 0.5}


class Effort:
    """Work of one candidate of a plan."""

    def __init__(self, loaded: LoadedModel, plan: SequencePlan, *, guided: bool) -> None:
        config = loaded.config
        weights = projection_weights(config)
        number = loaded.precision.dtype.itemsize
        read = weights * BYTES_PER_WEIGHT.get(loaded.precision.quantization, number)
        keys = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * number
        self._code_key = keys / read
        """Work per key of a code. Decoding is memory-bound: bytes of key and value per byte of weights."""
        attention = 2 * config.num_hidden_layers * config.num_attention_heads * config.head_dim
        self._row_key = attention / weights
        """Work per key of a prefill row. Prefill is compute-bound: products per key, by those of weights."""
        self._origins = plan.origins if guided else (0,)
        self._free = plan.free_positions
        self._codes = [0.0, *accumulate(map(self._code, self._free))]

    def codes(self, drawn: int) -> float:
        """Work of the first `drawn` codes."""
        return self._codes[drawn]

    def prefill(self, rows: int, drawn: int) -> float:
        """Work of the first `rows` prefill rows when `drawn` codes are given, stream after stream."""
        if drawn == len(self._free):
            return 0.0
        work = 0.0
        for origin in self._origins:
            read = min(rows, max(0, self._free[drawn] - origin))
            work += read + self._row_key * read * (read - 1) / 2
            rows -= read
        return work

    def _code(self, position: int) -> float:
        return 1 + self._code_key * sum(position - origin for origin in self._origins)


def projection_weights(config: ModelConfig) -> int:
    """Number of weights that one row is multiplied with, without the output head."""
    heads = config.num_attention_heads * config.head_dim
    keys = config.num_key_value_heads * config.head_dim
    attention = 2 * config.hidden_size * (heads + keys)
    return config.num_hidden_layers * (attention + 3 * config.hidden_size * config.intermediate_size)
