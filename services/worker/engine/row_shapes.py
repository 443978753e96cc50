"""The only shapes that kernels are called with, so that a row's bits never depend on its company.

A matrix product or an attention call may sum in another order when its shape changes. Two facts make a
row's result a function of the row alone: products of at least two rows and attention of at least four sum
each row alike, whatever their number; and a query at position p always sees the same key extent, masked
beyond p.
`self_check` tries both on this machine's kernels.
"""

from bisect import bisect_left

ROW_COUNTS: tuple[int, ...] = (2, 4, 8, 16, 32, 64, 128, 256)
"""Rows of a forward pass and of each projection; the rest is padding."""

QUERY_TILES = (4, 8, 16, 32)
"""Queries of one attention call, before the heads of a group are folded into it."""

KEY_STEP = 128
"""The keys of one attention call are the first multiple of this that reaches the query."""

MAX_ROWS = ROW_COUNTS[-1]


def padded_rows(rows: int, fewest: int = ROW_COUNTS[0]) -> int:
    """The smallest allowed number of rows that holds `rows`, and is no less than `fewest`.

    The engine's own batches never pass MAX_ROWS; beyond it (a parity check, say) multiples of it.
    """
    if rows > MAX_ROWS:
        return -(-rows // MAX_ROWS) * MAX_ROWS
    return ROW_COUNTS[bisect_left(ROW_COUNTS, max(rows, fewest))]


def query_tile(queries: int) -> int:
    """The smallest query tile that holds `queries`, which is at most the largest tile."""
    return QUERY_TILES[bisect_left(QUERY_TILES, queries)]


def key_extent(position: int) -> int:
    """How many keys a query at `position` is shown, itself included; those beyond it are masked."""
    return (position // KEY_STEP + 1) * KEY_STEP


def split_queries(position: int, count: int) -> list[tuple[int, int]]:
    """Cut `count` queries from `position` on into (position, count) runs of one extent and one tile."""
    runs: list[tuple[int, int]] = []
    end = position + count
    while position < end:
        run = min(end, key_extent(position), position + QUERY_TILES[-1]) - position
        runs.append((position, run))
        position += run
    return runs
