"""Read the pictures of jobs."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.job_store.restore import restorable_images
from shared.tables import Candidate, Image, ImageTokens


@dataclass(frozen=True)
class OutputRows:
    """One candidate with its picture and the hash of its codes."""

    candidate: Candidate
    image: Image
    tokens_sha256: bytes
    restorable: bool = False
    """Whether the picture's file is gone, but can be decoded from its codes again."""


def read_outputs(session: Session, job_ids: Sequence[UUID]) -> dict[UUID, list[OutputRows]]:
    """The candidates of each job, in order of their positions.

    The first grid stored for a picture contains the drawn codes; later grids are encodings at other sizes.
    """
    first_grid = (
        select(ImageTokens.sha256)
        .where(ImageTokens.image_id == Image.id)
        .order_by(ImageTokens.created_at)
        .limit(1)
        .scalar_subquery()
    )
    statement = (
        select(Candidate, Image, first_grid)
        .join(Image, Image.id == Candidate.image_id)
        .where(Candidate.job_id.in_(job_ids))
        .order_by(Candidate.job_id, Candidate.position)
    )
    outputs: dict[UUID, list[OutputRows]] = defaultdict(list)
    found = session.execute(statement).all()
    restorable = restorable_images(session, [image.id for _, image, _ in found if image.is_expired])
    for candidate, image, tokens_sha256 in found:
        rows = OutputRows(candidate, image, tokens_sha256, restorable=image.id in restorable)
        outputs[candidate.job_id].append(rows)
    return outputs
