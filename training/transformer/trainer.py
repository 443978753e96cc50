"""One training run of the transformer: its state, its step, its checkpoints."""

import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from services.worker.engine.transformer import Transformer
from training.checkpoints import latest_checkpoint, read_checkpoint, save_checkpoint
from training.data.batches import BatchSource
from training.optimizers import HybridOptimizer
from training.schedules import WarmupStableDecay
from training.transformer.objective import batch_loss


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """learning_rate: its peak, for both optimizers. ema: the slowest decay of the averaged weights.

    bf16: the model computes in bfloat16, while optimizer and checkpoints keep float32 weights.
    """

    steps: int
    learning_rate: float = 3e-3
    warmup: int = 100
    decay: float = 0.25
    weight_decay: float = 0.05
    z_weight: float = 1e-4
    clip: float = 1.0
    ema: float = 0.998
    bf16: bool = True
    muon: bool = True


class TransformerTrainer:
    """Everything that a step changes.

    Batches depend on the step alone, so a run that was cut off and resumed ends in the same weights.
    masters: the float32 weights that the optimizer moves; averaged: their exponential moving average.
    """

    def __init__(self, model: Transformer, source: BatchSource, options: TrainingOptions) -> None:
        self.masters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.averaged = {name: p.detach().clone() for name, p in self.masters.items()}
        self._working = copy.deepcopy(model).bfloat16() if options.bf16 else model
        self._weights: dict[str, nn.Parameter] = dict(self._working.named_parameters())
        self._source = source
        self._options = options
        self._schedule = WarmupStableDecay(options.steps, options.warmup, options.decay)
        self._optimizer = HybridOptimizer(
            self.masters, lr=options.learning_rate, weight_decay=options.weight_decay, muon=options.muon
        )
        self.step = 0

    def train_step(self) -> tuple[int, dict[str, float]]:
        """Take one step; returns how many tokens it read, and its figures."""
        batch = self._source.batch(self.step)
        loss = batch_loss(self._working, batch, z_weight=self._options.z_weight)
        loss.total.backward()
        self._take_gradients()
        norm = nn.utils.clip_grad_norm_(self.masters.values(), self._options.clip)
        factor = self._schedule.factor(self.step)
        self._optimizer.step(factor)
        self.step += 1
        self._average()
        self._give_weights()
        figures = {"loss": loss.nats.item(), "accuracy": loss.accuracy.item(), "gradient": norm.item()}
        return batch.tokens.numel(), {**figures, "rate": factor * self._options.learning_rate}

    def save(self, folder: Path) -> None:
        """Write a checkpoint that `resume` continues exactly."""
        masters = {name: p.detach() for name, p in self.masters.items()}
        state = {"masters": masters, "averaged": self.averaged, "optimizer": self._optimizer.state_dict()}
        save_checkpoint(folder, self.step, state)

    def resume(self, folder: Path) -> None:
        """Continue from the folder's last checkpoint, if it has one."""
        path = latest_checkpoint(folder)
        if path is None:
            return
        state = read_checkpoint(path)
        self.averaged = state["averaged"]
        self._optimizer.load_state_dict(state["optimizer"])
        with torch.no_grad():
            for name, master in self.masters.items():
                master.copy_(state["masters"][name])
        self.step = state["step"]
        self._give_weights()

    def _take_gradients(self) -> None:
        """Move the gradients to the master weights, in float32."""
        if not self._options.bf16:
            return
        for name, master in self.masters.items():
            gradient = self._weights[name].grad
            master.grad = None if gradient is None else gradient.float()
            self._weights[name].grad = None

    @torch.no_grad()
    def _give_weights(self) -> None:
        if self._options.bf16:
            for name, master in self.masters.items():
                self._weights[name].copy_(master)

    @torch.no_grad()
    def _average(self) -> None:
        """Early on the average forgets faster, so that the first random weights are soon gone."""
        decay = min(self._options.ema, (1 + self.step) / (10 + self.step))
        for name, average in self.averaged.items():
            average.lerp_(self.masters[name], 1 - decay)


def with_weights(model: Transformer, weights: dict[str, Tensor]) -> Transformer:
    """A copy of the model in evaluation mode, with these weights where it has them."""
    copied = copy.deepcopy(model)
    with torch.no_grad():
        for name, parameter in copied.named_parameters():
            if name in weights:
                parameter.copy_(weights[name])
    return copied.eval()
