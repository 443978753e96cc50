"""How weights and activations are held, and which of it a machine runs well."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import torch

from services.worker.engine.errors import PrecisionError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Quantization(StrEnum):
    """Form of the decoder's projections; embeddings, norms and the output head keep the dtype."""

    NONE = "none"
    INT8 = "int8"
    NF4 = "nf4"


class CpuGemm(StrEnum):
    """Kernel of unquantised products on the CPU; each is invariant, but they differ from each other."""

    PACKED = "packed"
    PAIR = "pair"


@dataclass(frozen=True)
class Precision:
    """What a checkpoint is loaded into. Recorded with every picture: it decides the bits."""

    dtype: torch.dtype = torch.float32
    quantization: Quantization = Quantization.NONE
    cpu_gemm: CpuGemm = CpuGemm.PACKED

    @classmethod
    def parse(cls, dtype: str, quantization: str = "none", cpu_gemm: str = "packed") -> Self:
        """From names such as "bf16" and "nf4". Raises PrecisionError for a name that is none."""
        try:
            return cls(DTYPES[dtype], Quantization(quantization), CpuGemm(cpu_gemm))
        except (KeyError, ValueError) as error:
            raise PrecisionError(
                f"unknown precision {dtype!r} with quantisation {quantization!r}; "
                f"dtypes are {', '.join(DTYPES)}, quantisations {', '.join(Quantization)}"
            ) from error

    @property
    def name(self) -> str:
        """Such as "fp32", "bf16+nf4"."""
        dtype = next(name for name, dtype in DTYPES.items() if dtype is self.dtype)
        if self.quantization is not Quantization.NONE:
            return f"{dtype}+{self.quantization}"
        return dtype if self.cpu_gemm is CpuGemm.PACKED else f"{dtype}+{self.cpu_gemm}"
