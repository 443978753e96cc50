"""Muon for the matrices of the hidden layers, AdamW for the rest, behind one step."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from services.worker.engine.loading.auto_precision import cpu_multiplies_bf16
from training.distributed import spread_like, whole

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic iteration. They make it fast; singular values end between 0.7 and 1.2."""
_ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """Momentum whose update is made orthogonal, so that all directions of a matrix get updates of equal size.

    Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks". The scale of an
    update is that of Liu et al. 2025 (Moonlight), arXiv 2502.16982, section 2.2: its root mean square is that
    of an AdamW update, so one learning rate suits both optimizers and all shapes.
    The steps are those of `torch.optim.Muon` with `match_rms_adamw`, up to the rounding of bfloat16. That
    class does not support sharded matrices: docs/decisions/0014-libraries-and-our-own.md.
    """

    def __init__(
        self, matrices: Iterable[Tensor], *, lr: float, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # pyright: ignore[reportIncompatibleMethodOverride] (the base class's overloads say float even without a closure)
        """Update all matrices that have a gradient; those of equal shape are made orthogonal as one batch."""
        value = None if closure is None else closure()
        for group in self.param_groups:
            by_shape: defaultdict[torch.Size, list[Tensor]] = defaultdict(list)
            for matrix in group["params"]:
                if matrix.grad is not None:
                    by_shape[matrix.shape].append(matrix)
            for shape, matrices in by_shape.items():
                updates = torch.stack([self._momentum(matrix, group["momentum"]) for matrix in matrices])
                scale = 0.2 * max(shape) ** 0.5 * group["lr"]
                for matrix, update in zip(matrices, orthogonalise(updates), strict=True):
                    change = spread_like(update * scale, matrix)
                    matrix.mul_(1 - group["lr"] * group["weight_decay"]).sub_(change)
        return value

    def _momentum(self, matrix: Tensor, momentum: float) -> Tensor:
        """The Nesterov momentum after this step's gradient; gathered if the matrix is sharded."""
        gradient = matrix.grad
        if gradient is None:
            raise ValueError("a matrix without gradient has no momentum")
        state = self.state[matrix]
        buffer: Tensor = state.setdefault("momentum", torch.zeros_like(matrix))
        buffer.lerp_(gradient, 1 - momentum)
        return whole(gradient.lerp(buffer, momentum))


def orthogonalise(matrices: Tensor) -> Tensor:
    """Approximate the nearest matrices with orthonormal rows or columns: [count, rows, columns] float32.

    It is computed by a Newton-Schulz iteration in bfloat16, or in float32 on a CPU that has no units for
    bfloat16: there the iteration would take most of a training step.
    """
    a, b, c = _COEFFICIENTS
    is_fast = matrices.device.type != "cpu" or cpu_multiplies_bf16()
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).to(torch.bfloat16 if is_fast else torch.float32)
    for _ in range(_ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return (x.mT if tall else x).to(matrices.dtype)


class HybridOptimizer:
    """Muon for the matrices of a model's layers, AdamW for its other weights; name and shape decide."""

    def __init__(
        self, parameters: dict[str, nn.Parameter], *, lr: float, weight_decay: float, muon: bool
    ) -> None:
        matrices = [p for name, p in parameters.items() if muon and p.ndim == 2 and ".layers." in f".{name}"]
        chosen = {id(matrix) for matrix in matrices}
        rest = [p for p in parameters.values() if id(p) not in chosen]
        # weight decay would pull the gains of norms and the vocabulary to zero
        self._parts: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(rest, lr=lr, betas=(0.9, 0.95), weight_decay=0.0)
        ]
        if matrices:
            self._parts.append(Muon(matrices, lr=lr, weight_decay=weight_decay))
        self._lr = lr

    def step(self, factor: float) -> None:
        """Make one step at `factor` times the peak learning rate, then delete the gradients."""
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = self._lr * factor
            part.step()
            part.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        """The state to save in a checkpoint."""
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from the result of `state_dict`; its tensors are not sharded."""
        for part, saved in zip(self._parts, state["parts"], strict=True):
            parameters = [p for group in part.param_groups for p in group["params"]]
            spread = {
                number: {name: _state_like(value, parameters[number]) for name, value in values.items()}
                for number, values in saved["state"].items()
            }
            part.load_state_dict({**saved, "state": spread})


def _state_like(value: Any, parameter: Tensor) -> Any:
    """The state of a parameter, sharded like it if it is a tensor of its shape; other values unchanged."""
    if isinstance(value, Tensor) and value.shape == parameter.shape:
        return spread_like(value, parameter)
    return value
