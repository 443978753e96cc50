"""Compare the codes of a picture of unknown origin with those of drawn pictures."""

import math
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, and_
from sqlalchemy.orm import Session

from services.api.process.image_tokenizer import Inspection
from services.api.provenance.repository import Known, find_known, find_similar
from services.api.provenance.schemas import Match
from shared.fingerprints import RUNS_ASKED, Overlap, best_overlap, kept_runs
from shared.tables import PictureFingerprint
from shared.token_grid import TokenGrid

HASH_BITS = 256


@dataclass(frozen=True)
class Found:
    """A match in the registry. grid, overlap: the codes and how they lie on drawn ones; None for pixels."""

    known: Known
    match: Match
    log_p: float
    overlap: Overlap | None = None
    grid: TokenGrid | None = None


def match_of_pixels(known: Known, registry: float) -> Found:
    """The match of a file with the pixel data of a drawn one."""
    return Found(known, Match.PIXELS, math.log(registry) - HASH_BITS * math.log(2))


def compare_codes(
    session: Session, inspection: Inspection, registry: float, project_id: UUID | None, largest_log_p: float
) -> Found | None:
    """The drawn picture whose codes are most like these; None if chance explains the best match.

    A picture with all of these codes is always a match: the platform has drawn exactly this.
    registry: number of pictures among which the best is found.
    """
    grid, tokenizer = inspection.grid, inspection.tokenizer
    best: Found | None = None
    similar = find_similar(session, tokenizer, kept_runs(grid, RUNS_ASKED))
    equal = find_known(session, has_codes(grid, tokenizer), project_id)
    for known, drawn in [*([] if equal is None else [(equal, grid)]), *similar]:
        overlap = best_overlap(grid, drawn)
        if overlap is None:
            continue
        log_p = overlap.log_p + math.log(registry * shifts(grid, drawn, overlap))
        match = Match.TOKENS if grid == drawn else Match.NEAR
        if best is None or (best.match is Match.NEAR and log_p < best.log_p):
            best = Found(known, match, log_p, overlap, grid)
    if best is None or (best.match is Match.NEAR and best.log_p > largest_log_p):
        return None
    return best


def has_codes(grid: TokenGrid, tokenizer: str) -> ColumnElement[bool]:
    """The condition that a fingerprint has all of these codes."""
    sha256 = bytes.fromhex(grid.sha256())
    return and_(PictureFingerprint.tokens_sha256 == sha256, PictureFingerprint.tokenizer == tokenizer)


def shifts(first: TokenGrid, second: TokenGrid, overlap: Overlap) -> int:
    """By how much a bound grows because grids were compared at several shifts (Bonferroni, with weights).

    Whole pictures of equal size have one half of the weight, all other shifts share the other half.
    """
    same_size = (first.height, first.width) == (second.height, second.width)
    if same_size and (overlap.row, overlap.column) == (0, 0):
        return 2
    return 2 * (first.height + second.height - 1) * (first.width + second.width - 1)
