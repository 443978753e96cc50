"""The only shapes that kernels are called with, which makes them batch-invariant.

A matrix product or an attention call may sum in another order if its shape changes. Two facts make a row's
result independent of batch neighbours: products of at least two rows, and attention of at least four queries,
sum every row in the same order for any number of rows; and a query at position p always reads the same number
of keys, those after p being masked. `self_check` verifies both on this machine.
"""

from bisect import bisect_left

ROW_COUNTS: tuple[int, ...] = (2, 4, 8, 16, 32, 64, 128, 256)
"""Allowed numbers of rows of a forward pass and of each projection; passes are padded to the next one."""

QUERY_TILES = (4, 8, 16, 32)
"""Allowed numbers of queries in one attention call, before the heads of a group are folded into it."""

KEY_STEP = 128
"""An attention call reads a multiple of this number of keys, the smallest that includes the query's own."""

MAX_ROWS = ROW_COUNTS[-1]


def padded_rows(rows: int, fewest: int = ROW_COUNTS[0]) -> int:
    """The smallest allowed number of rows that is at least `rows` and `fewest`.

    Above MAX_ROWS, which only parity checks exceed, a multiple of MAX_ROWS.
    """
    if rows > MAX_ROWS:
        return -(-rows // MAX_ROWS) * MAX_ROWS
    return ROW_COUNTS[bisect_left(ROW_COUNTS, max(rows, fewest))]


def query_tile(queries: int) -> int:
    """The smallest query tile of at least `queries`. queries: at most the largest tile."""
    return QUERY_TILES[bisect_left(QUERY_TILES, queries)]


def key_extent(position: int) -> int:
    """Number of keys that an attention call reads for a query at `position`; later keys are masked."""
    return (position // KEY_STEP + 1) * KEY_STEP


def split_queries(position: int, count: int) -> list[tuple[int, int]]:
    """Split `count` queries from `position` on into runs (position, count) of one key extent and one tile."""
    runs: list[tuple[int, int]] = []
    end = position + count
    while position < end:
        run = min(end, key_extent(position), position + QUERY_TILES[-1]) - position
        runs.append((position, run))
        position += run
    return runs
