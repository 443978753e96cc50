"""Convert database rows to the sessions and turns of the API; pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.api.sessions.responses import (
    HeadResponse,
    SessionHead,
    SessionList,
    SessionResponse,
    SessionSummary,
    TreeTurn,
    TurnCandidate,
    TurnParent,
    TurnResponse,
)
from shared.ids import IdKind, format_id
from shared.job_view.view import JobRows, OutputRows, view_job
from shared.links import content_url, thumbnail_url
from shared.tables import SessionRow, Turn


@dataclass(frozen=True)
class HeadRows:
    """The head of a session: its turn and image; both None in a session without a picture."""

    turn_id: UUID | None = None
    image_id: UUID | None = None


@dataclass(frozen=True)
class TurnRows:
    """Everything of a turn that a response shows."""

    turn: Turn
    job: JobRows
    parent_turn_id: UUID | None = None
    parent_image_id: UUID | None = None


@dataclass(frozen=True)
class SessionRows:
    """A session without its turns."""

    row: SessionRow
    head: HeadRows
    turn_count: int


@dataclass(frozen=True)
class TreeRows:
    """A session with one page of its turns; `has_more` is true if newer ones follow."""

    session: SessionRows
    turns: Sequence[TurnRows]
    has_more: bool


def view_head(rows: SessionRows, public_url: str) -> SessionHead:
    """The head as a part of a session."""
    row, head = rows.row, rows.head
    return SessionHead(
        candidate_id=maybe(IdKind.CANDIDATE, row.head_candidate_id),
        turn_id=maybe(IdKind.TURN, head.turn_id),
        image_id=maybe(IdKind.IMAGE, head.image_id),
        url=None if head.image_id is None else content_url(public_url, head.image_id),
        version=row.head_version,
        can_undo=row.head_candidate_id is not None,
        can_redo=bool(row.undone),
    )


def view_head_alone(rows: SessionRows, public_url: str) -> HeadResponse:
    """The head as a response of its own."""
    return HeadResponse(**dict(view_head(rows, public_url)))


def view_summary(rows: SessionRows, public_url: str) -> SessionSummary:
    """A session in a list."""
    row = rows.row
    return SessionSummary(
        id=format_id(IdKind.SESSION, row.id),
        title=row.title,
        note=row.note,
        metadata=row.details,
        root_image_id=maybe(IdKind.IMAGE, row.root_image_id),
        head=view_head(rows, public_url),
        turn_count=rows.turn_count,
        created_at=row.created_at,
        updated_at=row.updated_at,
        imported_from=row.imported_from,
    )


def view_tree(rows: TreeRows, public_url: str) -> SessionResponse:
    """A session with its turns."""
    turns = [view_tree_turn(turn, public_url) for turn in rows.turns]
    return SessionResponse(
        **dict(view_summary(rows.session, public_url)),
        turns=turns,
        has_more=rows.has_more,
        next_cursor=turns[-1].number if rows.has_more else None,
    )


def view_list(sessions: Sequence[SessionRows], public_url: str, *, has_more: bool) -> SessionList:
    """A page of sessions; the id of its last one is the cursor of the next page."""
    data = [view_summary(rows, public_url) for rows in sessions]
    return SessionList(data=data, has_more=has_more, next_cursor=data[-1].id if has_more else None)


def view_tree_turn(rows: TurnRows, public_url: str) -> TreeTurn:
    """A turn in its session."""
    turn, job = rows.turn, view_job(rows.job, public_url)
    return TreeTurn(
        id=format_id(IdKind.TURN, turn.id),
        number=turn.number,
        name=turn.name,
        note=turn.note,
        metadata=turn.details,
        parent=TurnParent(
            turn_id=maybe(IdKind.TURN, rows.parent_turn_id),
            candidate_id=maybe(IdKind.CANDIDATE, turn.parent_candidate_id),
            image_id=maybe(IdKind.IMAGE, rows.parent_image_id),
        ),
        job_id=job.id,
        blocked_by=None if rows.job.job.blocked_by is None else maybe(IdKind.TURN, rows.parent_turn_id),
        task=job.task,
        prompt=job.request.get("prompt"),
        status=job.status,
        progress=job.progress,
        error=job.error,
        mask=job.mask,
        candidates=[view_candidate(output, public_url) for output in rows.job.outputs],
        created_at=turn.created_at,
        finished_at=job.finished_at,
    )


def view_turn(rows: TurnRows, public_url: str) -> TurnResponse:
    """A turn with its job."""
    return TurnResponse(
        **dict(view_tree_turn(rows, public_url)),
        session_id=format_id(IdKind.SESSION, rows.turn.session_id),
        job=view_job(rows.job, public_url),
    )


def view_candidate(rows: OutputRows, public_url: str) -> TurnCandidate:
    """One picture of a turn."""
    candidate, image = rows.candidate, rows.image
    return TurnCandidate(
        id=format_id(IdKind.CANDIDATE, candidate.id),
        index=candidate.position,
        image_id=format_id(IdKind.IMAGE, image.id),
        url=content_url(public_url, image.id),
        thumbnail_url=thumbnail_url(public_url, image.id),
        width=image.width,
        height=image.height,
        score=candidate.score,
        partial=candidate.partial,
        starred=candidate.starred_at is not None,
        expired=image.is_expired,
        restorable=rows.restorable,
    )


def maybe(kind: IdKind, value: UUID | None) -> str | None:
    """The public id; None for None."""
    return None if value is None else format_id(kind, value)
