"""A training run of the transformer: state, step and checkpoints."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from services.worker.engine.model.transformer import Transformer
from training.checkpoints import check_unchanged, latest_checkpoint, read_checkpoint, save_checkpoint
from training.data.batches import Batch, BatchSource
from training.distributed import Workers, gathered, spread_like, whole
from training.errors import TrainingError
from training.optimizers import HybridOptimizer
from training.schedules import WarmupStableDecay
from training.transformer.objective import batch_loss

ALONE = Workers(0, 1, torch.device("cpu"))


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """learning_rate: peak rate of both optimizers. warmup, decay: see `WarmupStableDecay`.

    z_weight: see `batch_loss`. clip: maximum norm of the gradients.
    ema: factor of the moving average of the weights after the first steps, in which it is smaller.
    bf16: the model computes in bfloat16; optimizer and checkpoints keep float32 weights.
    accumulate: parts of a process's share of a batch, which are computed one after the other.
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
    accumulate: int = 1


class TransformerTrainer:
    """Everything that a training step changes.

    A batch depends only on the step, so an interrupted and resumed run ends with the same weights.
    masters: float32 copies of the weights to train, which the optimizer updates.
    averaged: exponential moving average of the masters.
    """

    def __init__(
        self,
        model: Transformer,
        source: BatchSource,
        options: TrainingOptions,
        workers: Workers = ALONE,
        began_with: Mapping[str, str] | None = None,
    ) -> None:
        """Take over the model: its dtype may change, and several workers shard it.

        began_with: more settings, beside batches and optimizer, that a resumed run must not change.
        """
        self._model = model
        self._workers = workers
        if workers.count > 1:
            workers.shard(model, bf16=options.bf16)
        # sharded weights stay float32 and are converted to bfloat16 when a layer is gathered
        self._has_copies = options.bf16 and workers.count == 1
        self._weights = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.masters = self._weights
        if self._has_copies:
            self.masters = {
                name: nn.Parameter(p.detach().float().clone()) for name, p in self._weights.items()
            }
            model.bfloat16()
        self.averaged = {name: p.detach().clone() for name, p in self.masters.items()}
        self._source = source
        self._options = options
        self._schedule = WarmupStableDecay(options.steps, options.warmup, options.decay)
        self._optimizer = HybridOptimizer(
            self.masters, lr=options.learning_rate, weight_decay=options.weight_decay, muon=options.muon
        )
        self._unchanged = {
            **source.identity(),
            "--muon or --adamw": "--muon" if options.muon else "--adamw",
            **(began_with or {}),
        }
        self.step = 0

    def train_step(self) -> tuple[int, dict[str, float]]:
        """Take one step; returns the number of tokens of the whole batch, and its figures."""
        batch = self._source.batch(self.step)
        nats, accuracy = self._gradients_of(batch)
        norm = nn.utils.clip_grad_norm_(self.masters.values(), self._options.clip)
        factor = self._schedule.factor(self.step)
        self._optimizer.step(factor)
        self.step += 1
        self._average()
        self._give_weights()
        figures = {"loss": nats, "accuracy": accuracy, "gradient": whole(norm).item()}
        return batch.tokens.numel(), {**figures, "rate": factor * self._options.learning_rate}

    def save(self, folder: Path) -> dict[str, Tensor]:
        """Write a checkpoint that `resume` can load with any number of workers; returns the averaged weights.

        All workers must call this.
        """
        masters = {name: p.detach() for name, p in self.masters.items()}
        state = {"masters": masters, "averaged": self.averaged, "optimizer": self._optimizer.state_dict()}
        state = gathered(state)
        if self._workers.is_first:
            save_checkpoint(folder, self.step, {**state, "began_with": self._unchanged})
        return state["averaged"]

    def resume(self, folder: Path) -> None:
        """Continue from the folder's last checkpoint, if it has one.

        Raises TrainingError if that run trained other weights or had other settings.
        """
        path = latest_checkpoint(folder)
        if path is None:
            return
        state = read_checkpoint(path)
        shapes = {name: p.shape for name, p in self.masters.items()}
        if shapes != {name: tensor.shape for name, tensor in state["masters"].items()}:
            raise TrainingError(f"{path} is from a run that trained other weights; choose another run folder")
        check_unchanged(path, state.get("began_with", {}), self._unchanged)
        with torch.no_grad():
            for name, master in self.masters.items():
                master.copy_(spread_like(state["masters"][name], master))
                self.averaged[name] = spread_like(state["averaged"][name], master)
        self._optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        self._give_weights()

    def _gradients_of(self, batch: Batch) -> tuple[float, float]:
        """Compute the gradients of the masters for a whole batch; returns its nats and accuracy."""
        count, accumulate, device = self._workers.count, self._options.accumulate, self._workers.device
        parts = batch.split(count * accumulate)[self._workers.rank * accumulate :][:accumulate]
        figures = torch.zeros(2, device=device)
        for part in parts:
            share = len(part.targets) / len(batch.targets)
            loss = batch_loss(self._model, part.to(device), z_weight=self._options.z_weight)
            # the gradients of workers are averaged, those of one worker's parts are added
            (loss.total * (share * count)).backward()
            self._take_gradients()
            figures += torch.stack([loss.nats, loss.accuracy]) * share
        nats, accuracy = self._workers.sum(figures).tolist()
        return nats, accuracy

    def _take_gradients(self) -> None:
        """Move the model's gradients into those of the masters, in float32."""
        if not self._has_copies:
            return
        for name, master in self.masters.items():
            gradient = self._weights[name].grad
            if gradient is not None:
                master.grad = gradient.float() if master.grad is None else master.grad + gradient
            self._weights[name].grad = None

    @torch.no_grad()
    def _give_weights(self) -> None:
        if self._has_copies:
            for name, master in self.masters.items():
                self._weights[name].copy_(master)

    @torch.no_grad()
    def _average(self) -> None:
        """Update the moving average; its factor starts low, so that the first random weights fade quickly."""
        decay = min(self._options.ema, (1 + self.step) / (10 + self.step))
        for name, average in self.averaged.items():
            average.lerp_(self.masters[name], 1 - decay)
