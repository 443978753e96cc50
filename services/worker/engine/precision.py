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


@dataclass(frozen=True)
class Precision:
    """What a checkpoint is loaded into. Recorded with every picture: it decides the bits."""

    dtype: torch.dtype = torch.float32
    quantization: Quantization = Quantization.NONE

    @classmethod
    def parse(cls, dtype: str, quantization: str = "none") -> Self:
        """From names such as "bf16" and "nf4". Raises PrecisionError for a name that is none."""
        try:
            return cls(DTYPES[dtype], Quantization(quantization))
        except (KeyError, ValueError) as error:
            raise PrecisionError(
                f"unknown precision {dtype!r} with quantisation {quantization!r}; "
                f"dtypes are {', '.join(DTYPES)}, quantisations {', '.join(Quantization)}"
            ) from error

    @classmethod
    def from_name(cls, name: str) -> Self:
        """From what `name` gives, such as "bf16+nf4". Raises PrecisionError for a name that is none."""
        dtype, _, quantization = name.partition("+")
        return cls.parse(dtype, quantization or "none")

    @property
    def name(self) -> str:
        """Such as "fp32", "bf16+nf4"."""
        dtype = next(name for name, dtype in DTYPES.items() if dtype is self.dtype)
        if self.quantization is not Quantization.NONE:
            return f"{dtype}+{self.quantization}"
        return dtype
