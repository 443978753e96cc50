"""Compare the pictures of a job that draws another one again with those of the first one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.job_view.outputs import OutputRows, read_outputs
from shared.jobs import JobState
from shared.tables import ImageTokens, Job, JobRequestRow
from shared.token_grid import TokenGrid


@dataclass(frozen=True)
class Difference:
    """A picture whose codes differ from those of the first job.

    cells: number of cells that differ; None if the grids differ in size or a picture is missing. row, column:
    of the first cell that differs.
    """

    index: int
    cells: int | None = None
    row: int | None = None
    column: int | None = None


@dataclass(frozen=True)
class Replay:
    """The first job, and what the comparison has found once this job has ended.

    equal: None before the end, or if the first job was deleted. numerics: identity that drew the first job.
    """

    of: UUID | None
    equal: bool | None = None
    numerics: str | None = None
    differences: Sequence[Difference] = ()


def read_replays(
    session: Session, jobs: Sequence[Job], requests: Mapping[UUID, JobRequestRow]
) -> dict[UUID, Replay]:
    """The replays among the jobs, by job id. requests: the rows with the requests of all jobs."""
    firsts = ((job, requests[job.id].replay_of) for job in jobs)
    return {job.id: compare(session, job, first) for job, first in firsts if first is not None}


def compare(session: Session, job: Job, first_id: UUID) -> Replay:
    """The comparison of an ended replay with the first job; without one while it is not ended."""
    numerics = session.scalar(select(Job.numerics).where(Job.id == first_id))
    if JobState(job.state) is not JobState.SUCCEEDED:
        return Replay(first_id, None, numerics)
    outputs = read_outputs(session, [first_id, job.id])
    pairs = zip_longest_by_position(outputs[first_id], outputs[job.id])
    differences = [
        find_difference(session, index, before, after)
        for index, (before, after) in pairs.items()
        if before is None or after is None or before.tokens_sha256 != after.tokens_sha256
    ]
    return Replay(first_id, not differences, numerics, differences)


def zip_longest_by_position(
    before: Sequence[OutputRows], after: Sequence[OutputRows]
) -> dict[int, tuple[OutputRows | None, OutputRows | None]]:
    """The pictures of both jobs by their index in the answer."""
    first = {rows.candidate.position: rows for rows in before}
    second = {rows.candidate.position: rows for rows in after}
    return {index: (first.get(index), second.get(index)) for index in sorted({*first, *second})}


def find_difference(
    session: Session, index: int, before: OutputRows | None, after: OutputRows | None
) -> Difference:
    """Where two pictures with different codes differ."""
    if before is None or after is None:
        return Difference(index)
    grids = [drawn_grid(session, rows.image.id) for rows in (before, after)]
    if grids[0].width != grids[1].width or grids[0].height != grids[1].height:
        return Difference(index)
    pairs = zip(grids[0].tokens, grids[1].tokens, strict=True)
    differing = [cell for cell, (code, other) in enumerate(pairs) if code != other]
    row, column = divmod(differing[0], grids[0].width)
    return Difference(index, len(differing), row, column)


def drawn_grid(session: Session, image_id: UUID) -> TokenGrid:
    """The codes of a drawn picture: the first grid that was stored for it."""
    grid = select(ImageTokens.grid).where(ImageTokens.image_id == image_id).order_by(ImageTokens.created_at)
    return TokenGrid.from_bytes(session.scalars(grid.limit(1)).one())
