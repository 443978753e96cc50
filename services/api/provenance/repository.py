"""Look fingerprints of drawn pictures up."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, cast, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, array
from sqlalchemy.orm import Session
from sqlalchemy.types import Integer

from services.api.process.image_tokenizer import KnownNoise
from shared.tables import Candidate, Image, ImageTokens, JobRequestRow, PictureFingerprint
from shared.token_grid import TokenGrid

MOST_LOOKED_AT = 1000
"""Pictures with an equal run that are counted: runs of plain areas may occur in every picture of a model."""
MOST_COMPARED = 5
"""Pictures with the most equal runs, whose codes are compared."""
REGISTRY_SIZE = text(
    "SELECT greatest(reltuples, 1) FROM pg_class WHERE oid = 'picture_fingerprints'::regclass"
)


@dataclass(frozen=True)
class Known:
    """A picture of the registry."""

    project_id: UUID
    image_id: UUID
    job_id: UUID | None


def find_known(session: Session, condition: ColumnElement[bool], project_id: UUID | None) -> Known | None:
    """A picture whose fingerprint meets the condition, of this project if it has one."""
    statement = (
        _known()
        .where(condition)
        .order_by((Image.project_id == project_id).desc().nulls_last(), PictureFingerprint.created_at)
        .limit(1)
    )
    row = session.execute(statement).first()
    return None if row is None else Known(*row)


def _known() -> Select[UUID, UUID, UUID]:
    return (
        select(Image.project_id, Image.id, Candidate.job_id)
        .select_from(PictureFingerprint)
        .join(Image, Image.id == PictureFingerprint.image_id)
        .outerjoin(Candidate, Candidate.image_id == Image.id)
    )


def find_similar(session: Session, tokenizer: str, runs: Sequence[int]) -> list[tuple[Known, TokenGrid]]:
    """The pictures with the most equal runs, with their drawn codes."""
    asked = set(runs)
    if not asked:
        return []
    wanted: Any = cast(array(sorted(asked)), ARRAY(Integer))
    statement = (
        select(PictureFingerprint.image_id, PictureFingerprint.runs)
        .where(PictureFingerprint.runs.overlap(wanted), PictureFingerprint.tokenizer == tokenizer)
        .limit(MOST_LOOKED_AT)
    )
    counted = [(len(asked.intersection(kept)), image_id) for image_id, kept in session.execute(statement)]
    best = [image_id for _, image_id in sorted(counted, reverse=True)[:MOST_COMPARED]]
    return [pair for image_id in best if (pair := _with_codes(session, image_id)) is not None]


def _with_codes(session: Session, image_id: UUID) -> tuple[Known, TokenGrid] | None:
    """A picture with its drawn codes: the first grid that was stored for it."""
    row = session.execute(_known().where(Image.id == image_id)).first()
    grids = select(ImageTokens.grid).where(ImageTokens.image_id == image_id).order_by(ImageTokens.created_at)
    grid = session.scalars(grids.limit(1)).first()
    return None if row is None or grid is None else (Known(*row), TokenGrid.from_bytes(grid))


def registry_size(session: Session) -> float:
    """About how many pictures the registry has, as the database's statistics say."""
    return float(session.execute(REGISTRY_SIZE).scalar_one())


def sizes_of_pictures(session: Session, most: int) -> list[tuple[int, int]]:
    """The commonest sizes in pixels of the pictures drawn last."""
    recent = (
        select(Image.width, Image.height)
        .join(PictureFingerprint, PictureFingerprint.image_id == Image.id)
        .order_by(Image.id.desc())
        .limit(MOST_LOOKED_AT)
        .subquery()
    )
    statement = (
        select(recent.c.width, recent.c.height)
        .group_by(recent.c.width, recent.c.height)
        .order_by(func.count().desc())
        .limit(most)
    )
    return [(width, height) for width, height in session.execute(statement)]


@dataclass(frozen=True)
class DrawnNoise:
    """The noise that a picture was drawn with, and its codes."""

    known: KnownNoise
    grid: TokenGrid


def noise_of(session: Session, known: Known) -> DrawnNoise | None:
    """The noise of a picture of the registry; None if its job had no seed or is gone."""
    pair = _with_codes(session, known.image_id)
    statement = (
        select(JobRequestRow.request["seed"], Candidate.position, Candidate.drawn_index)
        .join(Candidate, Candidate.job_id == JobRequestRow.job_id)
        .where(Candidate.image_id == known.image_id)
    )
    row = session.execute(statement).first()
    if pair is None or row is None or row[0] is None:
        return None
    seed, position, drawn_index = row
    grid = pair[1]
    image = position if drawn_index is None else drawn_index
    return DrawnNoise(KnownNoise(seed=seed, image=image, rows=grid.height, columns=grid.width), grid)
