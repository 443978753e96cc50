"""Pack the tokens of one step, from all sequences and streams, into one forward pass."""

from collections.abc import Sequence as Items
from dataclasses import dataclass

import torch
from torch import Tensor

from services.worker.engine.model.attention import one_order_of_sums
from services.worker.engine.model.flash_attention import make_attention
from services.worker.engine.model.kv_cache import KVCache, Segment
from services.worker.engine.model.transformer import Transformer
from services.worker.engine.row_shapes import padded_rows
from services.worker.engine.sequence import Sequence, Stream


@dataclass(frozen=True, eq=False)
class Work:
    """The work of one sequence in a step: compute its streams up to `ends`, decide `positions`.

    ends: one per stream, not included. positions: free positions; empty during prefill.
    """

    sequence: Sequence
    ends: tuple[int, ...]
    positions: tuple[int, ...]

    @property
    def rows(self) -> int:
        return sum(
            end - stream.computed for stream, end in zip(self.sequence.streams, self.ends, strict=True)
        )


@dataclass(frozen=True)
class PackedRows:
    """The rows of one pass, as lists in CPU memory. Padding rows follow the segments."""

    token_ids: list[int]
    positions: list[int]
    segments: list[Segment]
    logit_rows: list[int]
    """Rows whose logits decide a position: by sequence, then by stream, then by position."""


def pack(works: Items[Work]) -> PackedRows:
    """Concatenate the rows of all works."""
    packed = PackedRows([], [], [], [])
    for work in works:
        for stream, end in zip(work.sequence.streams, work.ends, strict=True):
            _pack_stream(packed, work, stream, end)
    return packed


def _pack_stream(packed: PackedRows, work: Work, stream: Stream, end: int) -> None:
    start, first_row = stream.computed, len(packed.token_ids)
    if start == end:
        return
    packed.token_ids.extend(work.sequence.token_at(position, stream) for position in range(start, end))
    packed.positions.extend(range(start - stream.origin, end - stream.origin))
    packed.segments.append(Segment(first_row, end - start, start - stream.origin, stream.run))
    # a position is decided by the logits of the token before it
    packed.logit_rows.extend(first_row + position - 1 - start for position in work.positions)


def forward(model: Transformer, cache: KVCache, packed: PackedRows) -> Tensor:
    """Run the pass and return the final hidden states of `packed.logit_rows`.

    Returns [padded logit rows, hidden]; the rows after the first len(logit_rows) are padding.
    """
    hidden = hidden_states(model, cache, packed.token_ids, packed.positions, packed.segments)
    if not packed.logit_rows:
        return hidden[:0]
    wanted = padded_rows(len(packed.logit_rows), model.fewest_rows)
    padding = [0] * (wanted - len(packed.logit_rows))
    return hidden.index_select(0, torch.tensor(packed.logit_rows + padding, device=hidden.device))


def hidden_states(
    model: Transformer, cache: KVCache, token_ids: list[int], positions: list[int], segments: list[Segment]
) -> Tensor:
    """Final hidden states of the rows, [rows or more, hidden]; additional rows are padding.

    segments: cover all rows, in order.
    """
    device = cache.keys.device
    if model.whole_pass is not None:
        return model.whole_pass(torch.tensor(token_ids), torch.tensor(positions), cache, segments)
    rows = padded_rows(len(token_ids), model.fewest_rows)
    padding = [0] * (rows - len(token_ids))
    with one_order_of_sums(device):
        return model(
            torch.tensor(token_ids + padding, device=device),
            torch.tensor(positions + padding, device=device),
            make_attention(cache, segments, rows),
        )
