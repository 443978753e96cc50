"""The numerics identity: a short name for everything that decides the bits of a model's pictures.

Two workers with the same identity draw the same tokens for the same request. All its parts follow from the
model's files, the settings and the hardware; none is a measurement of time.
"""

import hashlib
import json
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Self

import torch

from services.worker.engine.batch import hidden_states
from services.worker.engine.kernels.acceleration import KernelLinear
from services.worker.engine.kernels.precision import Precision
from services.worker.engine.model.flash_attention import flash_attention_serves
from services.worker.engine.model.kv_cache import CacheRun, KVCache, Segment, run_length
from services.worker.engine.model.transformer import Transformer
from services.worker.engine.sampling.noise import NOISE_VERSION, gumbel_noise

DIGITS: Final = 16

PROBE_ROWS: Final = 16
"""Tokens of the pass whose bits are hashed into the identity."""

CPU_CLASSES: Final = {
    "amx": ("amx_tile", "amx_bf16", "amx_int8"),
    "avx512_bf16": ("avx512_bf16",),
    "avx512_vnni": ("avx512_vnni",),
    "avx512": ("avx512_f", "avx512_bw"),
    "avx2": ("avx2",),
}
"""Classes of x86 CPUs, the most capable first, with the features that a CPU of the class has."""

ANY_THREADS: Final = frozenset(
    {"FusedDecoder", "TileKernel", "PackedKernel", "Int8DigitKernel", "Int8WeightKernel", "SdpaAttention"}
)
"""Kernels that give the same bits on the CPU with any number of threads; PackedKernel does only in fp32."""


@dataclass(frozen=True)
class NumericsIdentity:
    """Everything that decides the bits of a picture, apart from the request.

    weights: fingerprint of the model's files. kernels: names of the kernels. device: class of the hardware.
    threads: number of threads if the bits depend on it, else None. adapter: fingerprint of the merged
    adapter. noise: version of the noise, and the fingerprint of its secret if it has one. arithmetic: hash of
    the results of a short pass of the loaded model, which differs between libraries and CPUs that the other
    parts do not distinguish. image_tokenizer: fingerprint and device class of the tokenizer service; the
    engine does not know it.
    """

    weights: str
    precision: str
    kernels: str
    device: str
    threads: int | None
    adapter: str | None
    noise: int | str
    arithmetic: str
    image_tokenizer: str | None = None

    @property
    def id(self) -> str:
        """The short name: the first hexadecimal digits of a SHA-256 over all parts."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]

    def with_image_tokenizer(self, name: str) -> Self:
        """The identity of pictures, which also depend on the image tokenizer."""
        return replace(self, image_tokenizer=name)

    def as_dict(self) -> dict[str, Any]:
        """All parts that are not None."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {value}" for name, value in self.as_dict().items())
        return f"{self.id} ({parts})"


def name_numerics(
    model: Transformer,
    precision: Precision,
    device: torch.device,
    image_ids: range,
    *,
    weights: str,
    adapter: str | None,
    noise: int | str = NOISE_VERSION,
) -> NumericsIdentity:
    """The numerics identity of a loaded model. weights, adapter: fingerprints of their files."""
    probe = _Probe(model, precision, device)
    kernels = probe.kernels()
    return NumericsIdentity(
        weights=weights,
        precision=precision.name,
        kernels=" ".join(kernels),
        device=device_class(device),
        threads=None if any_threads(kernels, precision, device) else torch.get_num_threads(),
        adapter=adapter,
        noise=noise,
        arithmetic=probe.arithmetic(image_ids),
    )


def device_class(device: torch.device) -> str:
    """The class of a device by its instruction set, such as "cpu x86_64 avx2" or "cuda 9.0"."""
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        return f"cuda {major}.{minor}"
    if device.type != "cpu":
        return device.type
    return f"cpu {platform.machine()} {cpu_class()}"


def cpu_class() -> str:
    """The most capable class that this CPU belongs to."""
    features = torch.cpu.get_capabilities()
    members = (name for name, needed in CPU_CLASSES.items() if all(features.get(each) for each in needed))
    return next(members, "baseline")


def any_threads(kernels: Iterable[str], precision: Precision, device: torch.device) -> bool:
    """Whether the bits are the same with any number of threads."""
    if device.type != "cpu":
        return True
    named = {name.partition("/")[0] for name in kernels}
    return named <= ANY_THREADS and (precision.dtype is torch.float32 or "PackedKernel" not in named)


class _Probe:
    """A short pass of the whole model, to find its kernels and hash its results."""

    def __init__(self, model: Transformer, precision: Precision, device: torch.device) -> None:
        self.model = model
        self.room = run_length(PROBE_ROWS)
        self.cache = KVCache(model.config, self.room, dtype=precision.dtype, device=device)

    def kernels(self) -> list[str]:
        """Names of all kernels that draw pictures; the head of the whole vocabulary does not."""
        names = {
            type(module.kernel).__name__
            for name, module in self.model.named_modules()
            if isinstance(module, KernelLinear) and name != "lm_head"
        }
        if self.model.whole_pass is not None:
            # import the compiler only where it is needed
            from services.worker.engine.fused.codegen.features import tile_set

            names.add(f"FusedDecoder/{tile_set()}")
        else:
            names.add("FlashAttention" if flash_attention_serves(self.cache) else "SdpaAttention")
        return sorted(names)

    @torch.inference_mode()
    def arithmetic(self, image_ids: range) -> str:
        """First digits of a SHA-256 over the scores of the pass: the bytes of float32 logits plus noise."""
        generator = torch.Generator().manual_seed(0)
        vocabulary = self.model.config.vocab_size
        tokens = torch.randint(0, vocabulary, (PROBE_ROWS,), generator=generator).tolist()
        segment = Segment(0, PROBE_ROWS, 0, CacheRun(0, self.room))
        hidden = hidden_states(self.model, self.cache, tokens, list(range(PROBE_ROWS)), [segment])
        codes = torch.arange(len(image_ids), device=hidden.device)
        scores = self.model.image_logits(hidden, image_ids)
        scores = scores[:PROBE_ROWS] + gumbel_noise(0, 0, range(PROBE_ROWS), codes)
        return hashlib.sha256(scores.cpu().numpy().tobytes()).hexdigest()[:DIGITS]
