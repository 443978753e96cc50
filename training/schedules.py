"""Learning rate over a run: warm up, stay, decay (WSD)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WarmupStableDecay:
    """A factor for every learning rate as a function of the step alone.

    The stable phase does not know the end, so a run can be prolonged or cut short by another `total`.
    Source: Hu et al. 2024 (MiniCPM), arXiv 2404.06395, section 4; linear decay to zero as in Hägele et
    al. 2024, arXiv 2405.18392.

    total: steps of the run. warmup: steps until 1. decay: share of the run that decays, at its end.
    """

    total: int
    warmup: int
    decay: float = 0.2

    def factor(self, step: int) -> float:
        """The factor of the step with this index, from 0 to `total` - 1."""
        rising = (step + 1) / max(self.warmup, 1)
        falling = (self.total - step) / max(self.total * self.decay, 1)
        return max(0.0, min(1.0, rising, falling))
