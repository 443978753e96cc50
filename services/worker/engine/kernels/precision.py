"""Precisions: the dtype of weights and activations, and the quantisation of the projections."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import torch

from services.worker.engine.errors import PrecisionError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Quantization(StrEnum):
    """Quantisation of the decoder's projections; embeddings, norms and the output head keep the dtype."""

    NONE = "none"
    INT8 = "int8"
    NF4 = "nf4"


@dataclass(frozen=True)
class Precision:
    """The precision that a checkpoint is loaded in; recorded with every picture, as it decides the bits."""

    dtype: torch.dtype = torch.float32
    quantization: Quantization = Quantization.NONE

    @classmethod
    def parse(cls, dtype: str, quantization: str = "none") -> Self:
        """Parse names such as "bf16" and "nf4". Raises PrecisionError for an unknown name."""
        try:
            return cls(DTYPES[dtype], Quantization(quantization))
        except (KeyError, ValueError) as error:
            raise PrecisionError(
                f"unknown precision {dtype!r} with quantisation {quantization!r}; "
                f"dtypes are {', '.join(DTYPES)}, quantisations {', '.join(Quantization)}"
            ) from error

    @classmethod
    def from_name(cls, name: str) -> Self:
        """Parse a `name` such as "bf16+nf4". Raises PrecisionError for an unknown one."""
        dtype, _, quantization = name.partition("+")
        return cls.parse(dtype, quantization or "none")

    @property
    def name(self) -> str:
        """Dtype and quantisation, such as "fp32" or "bf16+nf4"."""
        dtype = next(name for name, dtype in DTYPES.items() if dtype is self.dtype)
        if self.quantization is not Quantization.NONE:
            return f"{dtype}+{self.quantization}"
        return dtype
