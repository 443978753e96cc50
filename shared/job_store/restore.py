"""Decode an expired picture from its codes again: which pictures that is possible for, and who does it.

A restore is a row that an io worker takes for a while, with a new token each time. One that finishes late
finds another token and writes nothing. The picture's row gets its new file and loses the restore in one
transaction, so a process may die at any moment.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, and_, delete, func, null, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.job_store.clock import database_time, time_after
from shared.job_store.retention import Kept, seconds_of
from shared.schemas.token_controls import Composite
from shared.settings import RetentionSettings
from shared.storage import StoredObject, restored_folder
from shared.tables import (
    Candidate,
    Image,
    ImageOrigin,
    ImageTokens,
    JobRequestRow,
    PictureRestore,
    Project,
    SessionRow,
    Turn,
)
from shared.token_grid import TokenGrid

SILENT = {"synchronize_session": False}
WITHOUT_FILE = and_(
    or_(Image.deleted_at.is_not(None), Image.lost_at.is_not(None)), Image.removing_until.is_(None)
)
"""Condition of pictures whose file is gone."""


class RestoreError(StrEnum):
    """Why a picture was not restored."""

    OTHER_TOKENIZER = "other_tokenizer"
    """The image tokenizer has other weights now, with which the codes mean another picture."""
    REFUSED = "refused"
    """The tokenizer service refuses the codes."""
    CANVAS_EXPIRED = "canvas_expired"
    """The file of the picture whose pixels it has cannot be restored any more, or not be read."""
    GIVEN_UP = "given_up"
    """All tries failed."""


@dataclass(frozen=True)
class RestoredCanvas:
    """The canvas of a composed picture: its codes there, and its file; None while that is expired."""

    grid: TokenGrid
    storage_key: str | None


@dataclass(frozen=True)
class TakenRestore:
    """A picture to decode, and the token that allows storing it."""

    image_id: UUID
    token: UUID
    tries: int
    """How often the picture was taken, including this time."""
    folder: str
    grid: TokenGrid
    tokenizer: str
    """Fingerprint of the image tokenizer that the codes belong to."""
    png_text: bytes
    canvas_id: UUID | None
    """None if the picture has only pixels of its own."""
    canvas: RestoredCanvas | None


def drawn_codes() -> ColumnElement[bool]:
    """Condition that joins the codes from which a drawn picture was decoded: those of its own size."""
    return and_(
        ImageTokens.image_id == Image.id,
        ImageTokens.width == Image.width,
        ImageTokens.height == Image.height,
    )


def was_erased() -> ColumnElement[bool]:
    """Whether a client deleted the picture's turn or session: its picture must not come back."""
    return (
        select(Turn.id)
        .join(SessionRow, SessionRow.id == Turn.session_id)
        .join(Candidate, Candidate.job_id == Turn.job_id)
        .where(
            Candidate.image_id == Image.id,
            or_(Turn.deleted_at.is_not(None), SessionRow.deleted_at.is_not(None)),
        )
        .correlate(Image)
        .exists()
    )


def was_composed() -> ColumnElement[bool]:
    """Condition of pictures into which pixels of another picture, their canvas, were put back.

    See `JobRequest.puts_pixels_back`; pictures that were drawn in part are never composed.
    """
    composite, mask = JobRequestRow.request["composite"].astext, JobRequestRow.request["mask"].astext
    return (
        select(Candidate.id)
        .join(JobRequestRow, JobRequestRow.job_id == Candidate.job_id)
        .where(
            Candidate.image_id == Image.id,
            Candidate.partial.is_(False),
            or_(composite == Composite.EXACT.value, and_(composite.is_(None), mask.is_not(None))),
        )
        .correlate(Image)
        .exists()
    )


def canvas_codes() -> ColumnElement[bool]:
    """Condition of the codes that a composed picture's canvas has there."""
    return and_(ImageTokens.image_id == Image.canvas_id, ImageTokens.sha256 == Image.canvas_sha256)


def follows_from_codes() -> ColumnElement[bool]:
    """Condition of expired pictures that follow from codes that are kept, and that no client deleted.

    The pixels of a composed picture follow from its codes and the file of its canvas.
    """
    return and_(
        Image.origin == ImageOrigin.GENERATED.value,
        is_expired(),
        select(ImageTokens.image_id).where(drawn_codes()).correlate(Image).exists(),
        ~was_erased(),
        or_(~was_composed(), select(ImageTokens.image_id).where(canvas_codes()).correlate(Image).exists()),
    )


def is_expired() -> ColumnElement[bool]:
    """The condition of `Image.is_expired`."""
    return or_(Image.deleted_at.is_not(None), Image.lost_at.is_not(None), Image.removing_until.is_not(None))


def restorable_images(session: Session, ids: Collection[UUID]) -> set[UUID]:
    """Those of the pictures that can be restored.

    A composed picture needs a canvas that has its file, or that can be restored. A canvas is older than the
    pictures composed with it, so each chain of them ends.
    """
    canvas_of: dict[UUID, UUID | None] = {}  # of pictures that follow from codes
    seen: set[UUID] = set()
    unseen = set(ids)
    while unseen:
        seen |= unseen
        following = select(Image.id, Image.canvas_id).where(Image.id.in_(unseen), follows_from_codes())
        found = {row.id: row.canvas_id for row in session.execute(following)}
        canvas_of |= found
        unseen = {canvas for canvas in found.values() if canvas is not None} - seen
    with_file: set[UUID] = set()
    if canvases := seen - canvas_of.keys() - set(ids):
        kept = select(Image.id).where(Image.id.in_(canvases), ~is_expired())
        with_file = set(session.scalars(kept))

    def can_be_restored(image: UUID) -> bool:
        while image in canvas_of:
            canvas = canvas_of[image]
            if canvas is None:
                return True
            image = canvas
        return image in with_file

    return {image for image in canvas_of.keys() & set(ids) if can_be_restored(image)}


def has_usable_codes(session: Session, image_id: UUID) -> bool:
    """Whether a job can start from the codes of an expired picture."""
    statement = select(Image.id).where(
        Image.id == image_id,
        select(ImageTokens.image_id).where(ImageTokens.image_id == Image.id).correlate(Image).exists(),
        ~was_erased(),
    )
    return session.scalar(statement) is not None


def find_restore(session: Session, image_id: UUID) -> PictureRestore | None:
    """The picture's restore, waiting or given up; None if there is none."""
    return session.get(PictureRestore, image_id, populate_existing=True)


def request_restore(session: Session, image: Image) -> None:
    """Queue the restore of a picture that can be restored; one that was given up begins again.

    The canvas of a composed picture is restored before it.
    """
    canvas = None if image.canvas_id is None else session.get(Image, image.canvas_id)
    if canvas is not None and canvas.is_expired and canvas.origin == ImageOrigin.GENERATED:
        request_restore(session, canvas)
    statement = insert(PictureRestore).values(image_id=image.id, folder=restored_folder(image.project_id))
    again = {"tries": 0, "error_code": null(), "available_at": database_time()}
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[PictureRestore.image_id],
            set_=again,
            where=PictureRestore.error_code.is_not(None),
        )
    )


def take_restore(session: Session, seconds: float) -> TakenRestore | None:
    """Take the restore that has waited longest, and hide it for `seconds`; None if there is none."""
    due = (
        select(PictureRestore, Image, ImageTokens)
        .join(Image, Image.id == PictureRestore.image_id)
        .join(ImageTokens, drawn_codes())
        .where(
            PictureRestore.error_code.is_(None),
            PictureRestore.available_at <= database_time(),
            WITHOUT_FILE,
        )
        .order_by(PictureRestore.available_at, ImageTokens.created_at)
        .limit(1)
        .with_for_update(of=PictureRestore, skip_locked=True)
    )
    found = session.execute(due).first()
    if found is None:
        return None
    restore, image, codes = found
    restore.taken_by = token = uuid4()
    restore.tries += 1
    restore.available_at = time_after(seconds)  # type: ignore[assignment]
    session.flush()
    return TakenRestore(
        image.id,
        token,
        restore.tries,
        restore.folder,
        TokenGrid.from_bytes(codes.grid),
        codes.tokenizer,
        image.png_text or b"",
        image.canvas_id,
        find_canvas(session, image),
    )


def find_canvas(session: Session, image: Image) -> RestoredCanvas | None:
    """The canvas of a composed picture; None for other pictures, and if its codes are no longer there."""
    statement = (
        select(Image, ImageTokens.grid)
        .join(ImageTokens, ImageTokens.image_id == Image.id)
        .where(Image.id == image.canvas_id, ImageTokens.sha256 == image.canvas_sha256)
        .limit(1)
    )
    found = session.execute(statement).first()
    if found is None:
        return None
    canvas, grid = found
    return RestoredCanvas(TokenGrid.from_bytes(grid), None if canvas.is_expired else canvas.storage_key)


def await_canvas(session: Session, taken: TakenRestore, seconds: float) -> bool:
    """Let the canvas be restored first, and the picture be taken again after `seconds`.

    Returns False if the canvas cannot be restored.
    """
    canvas = None if taken.canvas_id is None else session.get(Image, taken.canvas_id)
    if canvas is None:
        return False
    if canvas.is_expired:
        restore = find_restore(session, canvas.id)
        failed = restore is not None and restore.error_code is not None
        if failed or not restorable_images(session, [canvas.id]):
            return False
        request_restore(session, canvas)
    change(session, taken, available_at=time_after(seconds), tries=taken.tries - 1)
    return True


def held_by(taken: TakenRestore) -> ColumnElement[bool]:
    """The fence: no other io worker has taken the restore since."""
    return and_(PictureRestore.image_id == taken.image_id, PictureRestore.taken_by == taken.token)


def put_off_restore(session: Session, taken: TakenRestore, seconds: float) -> bool:
    """Let the restore be taken again after `seconds`; False if another io worker has taken it."""
    return change(session, taken, available_at=time_after(seconds))


def give_up_restore(session: Session, taken: TakenRestore, error: RestoreError) -> bool:
    """End the restore without a file; False if another io worker has taken it."""
    return change(session, taken, error_code=error.value, taken_by=null())


def change(session: Session, taken: TakenRestore, **values: object) -> bool:
    """Set columns of the restore; False if another io worker has taken it."""
    statement = (
        update(PictureRestore).where(held_by(taken)).values(**values).returning(PictureRestore.image_id)
    )
    return session.execute(statement, execution_options=SILENT).first() is not None


def finish_restore(
    session: Session, taken: TakenRestore, stored: StoredObject, retention: RetentionSettings
) -> bool:
    """Give the picture its new file, which stays as long as that of a new picture.

    Returns False and writes nothing if another io worker has taken the restore.
    """
    ended = delete(PictureRestore).where(held_by(taken)).returning(PictureRestore.image_id)
    if session.execute(ended, execution_options=SILENT).first() is None:
        return False
    session.execute(
        update(Image)
        .where(Image.id == taken.image_id)
        .values(
            storage_key=stored.key,
            sha256=stored.sha256,
            byte_size=stored.byte_size,
            expires_at=new_expiry(session, taken.image_id, retention),
            deleted_at=null(),
            removing_until=null(),
            lost_at=null(),
            png_text=null(),
            thumbnail_at=null(),
        ),
        execution_options=SILENT,
    )
    return True


def new_expiry(session: Session, image_id: UUID, retention: RetentionSettings) -> datetime | None:
    """When a drawn picture of this project expires that is stored now; None for never."""
    seconds = seconds_of(Kept.RESULTS, retention)
    statement = (
        select(database_time() + func.make_interval(0, 0, 0, 0, 0, 0, seconds))
        .join_from(Image, Project, Project.id == Image.project_id)
        .where(Image.id == image_id, seconds >= 0)
    )
    return session.scalar(statement)
