"""Learning-rate schedule of a run: warm-up, stable phase, decay (WSD)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WarmupStableDecay:
    """A factor for all learning rates; it depends only on the step.

    The stable phase does not depend on `total`, so a run can be made longer or shorter by another `total`.
    Source: Hu et al. 2024 (MiniCPM), arXiv 2404.06395, section 4; linear decay to zero as in Hägele et
    al. 2024, arXiv 2405.18392.

    total: steps of the run. warmup: steps until the factor is 1. decay: share of the run, at its end, in
    which the factor falls.
    """

    total: int
    warmup: int
    decay: float = 0.2

    def factor(self, step: int) -> float:
        """The factor of a step; `step` is from 0 to `total` - 1."""
        rising = (step + 1) / max(self.warmup, 1)
        falling = (self.total - step) / max(self.total * self.decay, 1)
        return max(0.0, min(1.0, rising, falling))
