"""Insert the rows of an imported session, with new ids, in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from services.api.sessions.import_archive import Archive
from services.api.sessions.import_check import CheckedJob, CheckedSession
from services.api.sessions.import_documents import TurnDocument
from services.api.sessions.manifest import GIVEN, certainty_name
from shared.ids import IdKind, format_id, parse_id
from shared.job_store.clock import database_time
from shared.jobs import FINAL_STATES, PRIORITY_RANK, JobEvent, JobState
from shared.tables import (
    Base,
    Candidate,
    ImageTokens,
    Job,
    JobEventRow,
    JobRequestRow,
    SessionRow,
    Turn,
)

BEFORE_ALL = 0
"""Transaction number of the jobs' events: streams of the project show only what happens here."""
BATCH = 100
"""Rows of one statement; between two statements the gateway answers other requests."""


@dataclass(frozen=True)
class NewIds:
    """The ids of this installation, by the ids in the zip file."""

    images: Mapping[UUID, UUID]
    jobs: Mapping[UUID, UUID]
    turns: Mapping[UUID, UUID]
    candidates: Mapping[UUID, UUID]
    nothing: UUID
    """An id that belongs to nothing, for pictures that were gone before the export."""


def insert_session(
    session: Session, project_id: UUID, checked: CheckedSession, archive: Archive, images: Mapping[UUID, UUID]
) -> SessionRow:
    """Insert the session with its jobs, turns, candidates and codes. images: rows that exist already."""
    document, manifest = checked.documents.session, checked.documents.manifest
    ids = new_ids(session, checked, images)
    root = document.root_image_id
    row = SessionRow(
        project_id=project_id,
        title=document.title,
        note=document.note,
        details=document.metadata,
        root_image_id=None if root is None else images[root],
        head_version=document.head.version,
        last_number=manifest.last_number,
        imported_from=format_id(IdKind.SESSION, document.id),
    )
    session.add(row)
    session.flush()
    now = session.scalars(select(database_time())).one()
    write(session, Job, [job_values(project_id, job, ids, now) for job in checked.jobs])
    write(session, JobRequestRow, [request_values(job, ids) for job in checked.jobs])
    write(session, JobEventRow, [event_values(project_id, job, ids) for job in checked.jobs])
    starred = {one.id for turn in document.turns for one in turn.candidates if one.starred}
    write(
        session,
        Candidate,
        [
            {
                "id": ids.candidates[output.candidate_id],
                "job_id": ids.jobs[job.document.id],
                "image_id": images[output.id],
                "position": output.index,
                "score": output.score,
                "partial": output.partial,
                "drawn_index": output.drawn_index,
                "starred_at": now if output.candidate_id in starred else None,
            }
            for job in checked.jobs
            for output in job.document.outputs
        ],
    )
    write_grids(session, checked, archive, images, now)
    write(session, Turn, [turn_values(turn, row, checked, ids) for turn in document.turns])
    head = document.head.candidate_id
    row.head_candidate_id = None if head is None else ids.candidates[head]
    row.undone = [ids.candidates[candidate] for candidate in checked.undone]
    session.flush()
    return row


def new_ids(session: Session, checked: CheckedSession, images: Mapping[UUID, UUID]) -> NewIds:
    """New ids from the database, in the order of the turns, so that lists have the same order."""
    turns = checked.documents.session.turns
    candidates = [output.candidate_id for job in checked.documents.jobs for output in job.outputs]
    wanted = 2 * len(turns) + len(candidates) + 1
    fresh = iter(session.scalars(select(func.uuidv7()).select_from(func.generate_series(1, wanted))).all())
    return NewIds(
        images=images,
        jobs={turn.job_id: next(fresh) for turn in turns},
        turns={turn.id: next(fresh) for turn in turns},
        candidates={candidate: next(fresh) for candidate in candidates},
        nothing=next(fresh),
    )


def write(session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows in batches."""
    for start in range(0, len(rows), BATCH):
        session.execute(insert(table), list(rows[start : start + BATCH]))


def job_values(project_id: UUID, job: CheckedJob, ids: NewIds, now: Any) -> dict[str, Any]:
    """The row of an ended job. A job that had not ended is canceled."""
    document, request, progress = job.document, job.request, job.document.progress
    ended = document.status in FINAL_STATES
    changed = document.numerics_changed
    return {
        "id": ids.jobs[document.id],
        "project_id": project_id,
        "created_at": document.created_at,
        "available_at": document.created_at,
        "started_at": document.started_at,
        "finished_at": document.finished_at if ended else now,
        "attempt": document.attempt,
        "max_failures": 1,
        "priority": PRIORITY_RANK[request.priority],
        "candidates": request.n,
        "tokens_done": progress.tokens_done,
        "tokens_total": progress.tokens_total,
        "tokens_per_second": progress.tokens_per_second,
        "prefill_rows_done": progress.prefill_rows_done,
        "prefill_rows": progress.prefill_rows,
        "state": (document.status if ended else JobState.CANCELED).value,
        "queue": request.queue.value,
        "task": request.task.value,
        "error_code": None if document.error is None else document.error.code,
        "error_message": None if document.error is None else document.error.message,
        "model": request.model,
        "wanted_numerics": request.numerics,
        "numerics": document.numerics,
        "numerics_before": None if changed is None else changed.before,
        "scores": document.scores,
    }


def request_values(job: CheckedJob, ids: NewIds) -> dict[str, Any]:
    """The row of a job's request, with the new ids of its pictures and without its webhook."""
    retry_of, replay_of = job.document.retry_of, job.document.replay_of
    given: dict[str, Any] = {
        name: given_image(getattr(job.request, name), ids)
        for name in GIVEN
        if getattr(job.request, name) is not None
    }
    if job.request.region_from is not None:
        given["region_from"] = [
            region.model_copy(update={"image": given_image(region.image, ids)})
            for region in job.request.region_from
        ]
    request = job.request.model_copy(update=given)
    return {
        "job_id": ids.jobs[job.document.id],
        "request": request.model_dump(mode="json"),
        "mask": None if job.mask is None else vars(job.mask),
        "retry_of": None if retry_of is None else ids.jobs.get(retry_of),
        "replay_of": None if replay_of is None else ids.jobs.get(replay_of),
    }


def given_image(given: str, ids: NewIds) -> str:
    """The new source of a given picture. What the zip file does not contain becomes an id of nothing."""
    if given.startswith(f"{IdKind.JOB.value}_"):
        return format_id(IdKind.JOB, ids.jobs.get(parse_id(IdKind.JOB, given), ids.nothing))
    if given.startswith(f"{IdKind.IMAGE.value}_"):
        return format_id(IdKind.IMAGE, ids.images.get(parse_id(IdKind.IMAGE, given), ids.nothing))
    return format_id(IdKind.IMAGE, ids.nothing)


def event_values(project_id: UUID, job: CheckedJob, ids: NewIds) -> dict[str, Any]:
    """The job's only event: its end."""
    document = job.document
    state = document.status if document.status in FINAL_STATES else JobState.CANCELED
    return {
        "job_id": ids.jobs[document.id],
        "sequence": 1,
        "attempt": document.attempt,
        "kind": JobEvent(state.value).value,
        "data": {} if document.error is None else {"code": document.error.code},
        "project_id": project_id,
        "xid": BEFORE_ALL,
    }


def write_grids(
    session: Session, checked: CheckedSession, archive: Archive, images: Mapping[UUID, UUID], now: Any
) -> None:
    """Insert the codes, one microsecond apart: the first grid of a picture has its drawn codes."""
    grids = [(image, grid) for image in checked.grids for grid in checked.grids[image]]
    for start in range(0, len(grids), BATCH):
        rows = [
            {
                "image_id": images[image],
                "tokenizer": grid.tokenizer,
                "width": grid.width,
                "height": grid.height,
                "grid": archive.read(grid.file),
                "sha256": bytes.fromhex(grid.sha256),
                "certainty": None if grid.certainty is None else archive.read(certainty_name(grid.file)),
                "created_at": now + timedelta(microseconds=start + index),
            }
            for index, (image, grid) in enumerate(grids[start : start + BATCH])
        ]
        session.execute(insert(ImageTokens), rows)


def turn_values(turn: TurnDocument, row: SessionRow, checked: CheckedSession, ids: NewIds) -> dict[str, Any]:
    """The row of a turn with its place in the tree."""
    parent = turn.parent
    above = None if parent.turn_id is None else checked.job_of[parent.turn_id]
    return {
        "id": ids.turns[turn.id],
        "session_id": row.id,
        "number": turn.number,
        "job_id": ids.jobs[turn.job_id],
        "parent_candidate_id": None if parent.candidate_id is None else ids.candidates[parent.candidate_id],
        "parent_job_id": None if above is None else ids.jobs[above],
        "source_image_id": row.root_image_id if above is None and parent.image_id is not None else None,
        "created_at": turn.created_at,
        "name": turn.name,
        "note": turn.note,
        "details": turn.metadata,
    }
