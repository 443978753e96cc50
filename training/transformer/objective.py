"""Loss of a training batch: how well the model predicts the tokens that it draws."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from services.worker.engine.model.transformer import Transformer
from training.data.batches import Batch
from training.transformer.attention import training_attention


@dataclass(frozen=True, slots=True)
class BatchLoss:
    """total: loss to minimise. nats: cross-entropy per drawn token. accuracy: share predicted correctly."""

    total: Tensor
    nats: Tensor
    accuracy: Tensor


def batch_loss(model: Transformer, batch: Batch, *, z_weight: float) -> BatchLoss:
    """Cross-entropy over the tokens that the model draws; given tokens have no loss.

    z_weight: weight of the z-loss, the squared logarithm of the softmax's denominator, which keeps logits
    small (Chowdhery et al. 2022 (PaLM), arXiv 2204.02311, section 5).
    """
    rows, length = batch.tokens.shape
    positions = torch.arange(length, device=batch.tokens.device).repeat(rows)
    attention = training_attention(model.config, length, model.embed_tokens.weight)
    hidden = model(batch.tokens.flatten(), positions, attention)
    logits = model.logits(hidden[batch.drawn])
    nats = F.cross_entropy(logits, batch.targets)
    sums = logits.logsumexp(1)
    accuracy = (logits.detach().argmax(1) == batch.targets).float().mean()
    return BatchLoss(nats + z_weight * sums.square().mean(), nats.detach(), accuracy)
