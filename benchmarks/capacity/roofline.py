"""The least memory and time that a picture needs: sums of bytes and products over the model's shapes.

A decoding pass reads all weights of the layers once, and for each picture the keys and values of two streams
(guidance) up to the current position. On every GPU here that takes longer than the arithmetic, unless many
pictures share a pass. What a pass needs beyond it (launches, attention's inner loops, sampling) is not in the
figures: they are a floor.
"""

from dataclasses import dataclass

CELL_PIXELS = 8
STREAMS = 2
"""Streams of a guided picture: with and without the prompt."""
PROMPT_TOKENS = 512
"""Tokens of cache that are reserved for a prompt, as in the worker's memory plan."""
WORKING_BYTES = 1.5e9
"""Activations, buffers and the CUDA context: about as much as the measured pictures need."""
IMAGE_CODES = 16_384


@dataclass(frozen=True)
class Shape:
    """Sizes of a decoder."""

    name: str
    hidden: int
    inner: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int

    @property
    def head_dim(self) -> int:
        """Width of a head."""
        return self.hidden // self.heads

    @property
    def layer_weights(self) -> int:
        """Weights of all layers' projections, which each pass reads."""
        attention = 2 * self.hidden * self.hidden + 2 * self.hidden * self.kv_heads * self.head_dim
        return self.layers * (attention + 3 * self.hidden * self.inner)

    @property
    def embedding_weights(self) -> int:
        """Weights of the token embeddings and the output head; image codes have a head of their own."""
        return (2 * self.vocabulary + IMAGE_CODES) * self.hidden

    @property
    def parameters(self) -> int:
        """All weights that are stored in a model folder, without norms."""
        return self.layer_weights + 2 * self.vocabulary * self.hidden


@dataclass(frozen=True)
class Precision:
    """Bytes of a weight of a projection, of other numbers, and of one value in the cache."""

    name: str
    projection_bytes: float
    other_bytes: int
    reached: float
    """Best published share of memory bandwidth for one picture (gpt-fast, Llama 2 7B on an A100)."""


@dataclass(frozen=True)
class Gpu:
    """A GPU by its data sheet: bytes of memory, bytes a second, dense bf16 operations a second."""

    name: str
    memory: float
    bandwidth: float
    operations: float


MHA = Shape("7B, 32 KV heads", 4096, 11_008, 32, 32, 32, 171_392)
"""The shape that the reference's configuration has by default."""
GQA = Shape("7B, 8 KV heads", 4096, 11_008, 32, 32, 8, 171_392)
TWO_B = Shape("2B of the benchmarks", 2048, 5504, 32, 16, 16, 171_392)
SHAPES = (MHA, GQA, TWO_B)
BF16 = Precision("bf16", 2, 2, 0.69)
INT8 = Precision("bf16+int8", 1, 2, 0.52)
NF4 = Precision("bf16+nf4", 0.5625, 2, 0.42)
PRECISIONS = (BF16, INT8, NF4)
GPUS = (
    Gpu("L4 24 GB", 24e9, 0.300e12, 121e12),
    Gpu("RTX 4090 24 GB", 24e9, 1.008e12, 165e12),
    Gpu("L40S 48 GB", 48e9, 0.864e12, 362e12),
    Gpu("A100 80 GB", 80e9, 2.039e12, 312e12),
    Gpu("H100 80 GB", 80e9, 3.35e12, 989e12),
    Gpu("H200 141 GB", 141e9, 4.8e12, 989e12),
    Gpu("B200 180 GB", 180e9, 7.7e12, 2250e12),
)
H100 = GPUS[4]
SIDES = (512, 768, 1024)
"""Sides of square pictures."""


def codes_of(side: int) -> int:
    """Codes of a square picture."""
    return (side // CELL_PIXELS) ** 2


def cache_tokens(side: int) -> int:
    """Tokens of cache of one stream at the end: the prompt, all codes, and a newline for each row."""
    return PROMPT_TOKENS + codes_of(side) + side // CELL_PIXELS


def cache_bytes_per_token(shape: Shape, precision: Precision) -> int:
    """Bytes of keys and values of one token in all layers."""
    return 2 * shape.layers * shape.kv_heads * shape.head_dim * precision.other_bytes


def weight_bytes(shape: Shape, precision: Precision) -> float:
    """Memory of the loaded weights."""
    others = shape.embedding_weights * precision.other_bytes
    return shape.layer_weights * precision.projection_bytes + others


def picture_bytes(shape: Shape, precision: Precision, side: int) -> float:
    """Cache of one guided picture."""
    return STREAMS * cache_tokens(side) * cache_bytes_per_token(shape, precision)


def memory(shape: Shape, precision: Precision, side: int, pictures: int) -> float:
    """Memory of a worker that draws so many pictures at once."""
    return weight_bytes(shape, precision) + WORKING_BYTES + pictures * picture_bytes(shape, precision, side)


def most_pictures(shape: Shape, precision: Precision, side: int, gpu: Gpu) -> int:
    """Pictures that fit at once; 0 if the model does not fit with one."""
    room = gpu.memory - memory(shape, precision, side, 0)
    return max(0, int(room // picture_bytes(shape, precision, side)))


def read_bytes(shape: Shape, precision: Precision, tokens: float, pictures: int) -> float:
    """Bytes that a pass reads when each stream has so many tokens in its cache."""
    weights = shape.layer_weights * precision.projection_bytes
    weights += IMAGE_CODES * shape.hidden * precision.other_bytes
    return weights + pictures * STREAMS * tokens * cache_bytes_per_token(shape, precision)


def pass_seconds(
    shape: Shape, precision: Precision, gpu: Gpu, tokens: float, pictures: int, *, rows: int = 1
) -> float:
    """Least time of a pass: of its reads or its arithmetic. rows: codes verified for each stream."""
    weights = shape.layer_weights + IMAGE_CODES * shape.hidden
    per_token = 2 * shape.layers * shape.hidden
    operations = 2 * pictures * STREAMS * rows * (weights + per_token * tokens)
    return max(read_bytes(shape, precision, tokens, pictures) / gpu.bandwidth, operations / gpu.operations)


def picture_seconds(
    shape: Shape, precision: Precision, gpu: Gpu, side: int, *, pictures: int = 1, fewer_passes: float = 1.0
) -> float:
    """Least seconds from the first to the last code of `pictures` pictures that are drawn together.

    fewer_passes: codes for each pass, with speculation; each pass then verifies several rows.
    """
    mean_tokens = cache_tokens(side) - (codes_of(side) + side // CELL_PIXELS) / 2
    rows = 1 if fewer_passes == 1.0 else 16
    passes = codes_of(side) / fewer_passes
    return passes * pass_seconds(shape, precision, gpu, mean_tokens, pictures, rows=rows)
