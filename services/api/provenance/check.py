"""Ask every layer whether this installation has drawn a picture."""

import asyncio
import hashlib
import math
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, and_
from sqlalchemy.orm import Session

from services.api.auth.api_keys import Caller
from services.api.images.files import PictureFile, read_picture
from services.api.process.gateway import Gateway
from services.api.process.image_tokenizer import Inspection
from services.api.provenance.repository import (
    Known,
    find_known,
    find_similar,
    registry_size,
    sizes_of_pictures,
)
from services.api.provenance.schemas import Match, ProvenanceCheck, RegistryLayer, State
from services.api.provenance.sizes import Size, sizes_to_try
from shared.fingerprints import RUNS_ASKED, Overlap, best_overlap, kept_runs, pixels_hash
from shared.ids import IdKind, format_id
from shared.tables import PictureFingerprint
from shared.token_grid import TokenGrid

EVERYBODY = UUID(int=0)
"""Takes the place of the project for callers without a key: together they are one owner of decoders."""
LARGEST_P_VALUE = 1e-4
"""Matches of some codes that chance explains with a greater probability are not shown."""
SMALLEST_P_VALUE = 1e-300
HASH_BITS = 256
MOST_DRAWN_SIZES = 16


@dataclass(frozen=True)
class Found:
    """A match in the registry. overlap: None for a match of pixels."""

    known: Known
    match: Match
    log_p: float
    overlap: Overlap | None = None


async def check_picture(gateway: Gateway, caller: Caller | None, data: bytes) -> ProvenanceCheck:
    """What each layer says about a picture file. Raises Problem for a file that is no picture."""
    project_id = caller.project_id if caller else None
    picture = await read_picture(gateway.decoders, project_id or EVERYBODY, data)
    registry = await look_into_registry(gateway, project_id, picture)
    return ProvenanceCheck(
        drawn_here=registry.state is State.FOUND,
        sha256=hashlib.sha256(data).hexdigest(),
        media_type=picture.media_type,
        width=picture.width,
        height=picture.height,
        registry=registry,
    )


async def look_into_registry(
    gateway: Gateway, project_id: UUID | None, picture: PictureFile
) -> RegistryLayer:
    """Compare the file's pixels, then its codes, with those of drawn pictures."""
    pixels = await asyncio.to_thread(pixels_hash, picture.data)
    async with gateway.database.transaction() as session:
        known = await session.run_sync(find_known, PictureFingerprint.pixels_sha256 == pixels, project_id)
        size = await session.run_sync(registry_size)
        drawn = await session.run_sync(sizes_of_pictures, MOST_DRAWN_SIZES)
    if known is not None:
        return shown(Found(known, Match.PIXELS, math.log(size) - HASH_BITS * math.log(2)), project_id)
    state = State.NOT_FOUND
    for tried in sizes_to_try(picture.width, picture.height, drawn):
        inspection = await inspect(gateway, picture, tried)
        if inspection is None:
            state = State.UNAVAILABLE
            continue
        async with gateway.database.transaction() as session:
            found = await session.run_sync(compare_codes, inspection, size, project_id)
        if found is not None:
            return shown(found, project_id)
    return RegistryLayer(state=state)


async def inspect(gateway: Gateway, picture: PictureFile, size: Size) -> Inspection | None:
    """The picture's codes at this size; None if the tokenizer service does not give them."""
    return await gateway.image_tokenizer.inspect(picture.data, size)


def compare_codes(
    session: Session, inspection: Inspection, registry: float, project_id: UUID | None
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
            best = Found(known, match, log_p, overlap)
    if best is None or (best.match is Match.NEAR and best.log_p > math.log(LARGEST_P_VALUE)):
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
    if (overlap.row, overlap.column) == (0, 0) and (first.height, first.width) == (
        second.height,
        second.width,
    ):
        return 2
    return 2 * (first.height + second.height - 1) * (first.width + second.width - 1)


def shown(found: Found, project_id: UUID | None) -> RegistryLayer:
    """The layer's answer. Another project's picture is not named."""
    known, overlap = found.known, found.overlap
    own = known.project_id == project_id
    return RegistryLayer(
        state=State.FOUND,
        match=found.match,
        p_value=min(1.0, max(SMALLEST_P_VALUE, math.exp(max(found.log_p, math.log(SMALLEST_P_VALUE))))),
        matching_cells=None if overlap is None else overlap.matching,
        compared_cells=None if overlap is None else overlap.cells,
        image_id=format_id(IdKind.IMAGE, known.image_id) if own else None,
        job_id=format_id(IdKind.JOB, known.job_id) if own and known.job_id else None,
    )
