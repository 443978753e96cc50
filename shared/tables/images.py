"""Pictures, their token grids, and the candidates of jobs."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.tables.base import Base, CreatedAt, Small, Uuid7, one_of

KEPT = "deleted_at IS NULL AND removing_until IS NULL"
"""Condition of pictures whose file is kept."""


class ImageOrigin(StrEnum):
    """Origin of a picture."""

    UPLOADED = "uploaded"
    GENERATED = "generated"


class Image(Base):
    """One stored picture; its file is an S3 object that no other picture shares."""

    __tablename__ = "images"

    id: Mapped[Uuid7]
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    origin: Mapped[str]
    media_type: Mapped[str]
    storage_key: Mapped[str] = mapped_column(String(collation="C"))
    """Ordered by bytes, as the listing of a bucket is."""
    sha256: Mapped[bytes]
    byte_size: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    """Time at which the file was deleted; the row stays, because turns of sessions refer to it."""
    removing_until: Mapped[datetime | None]
    """Set while the file is being deleted. After this time another process may take over; nothing keeps the
    file any more."""
    thumbnail_at: Mapped[datetime | None]
    """Time at which a thumbnail was stored; null while there is none."""
    lost_at: Mapped[datetime | None]
    """Time at which the file was found missing although nothing had deleted it; null if it appears again."""
    png_text: Mapped[bytes | None]
    """Text chunks at the beginning of an expired PNG, with its recipe; with them the file is restored."""
    canvas_id: Mapped[UUID | None]
    """The picture whose file gave this one the pixels of its kept cells, see `JobRequest.composite`; null if
    there is none, or if the file had expired. No foreign key: the canvas may be deleted."""
    canvas_sha256: Mapped[bytes | None]
    """`ImageTokens.sha256` of the canvas' codes that were compared with those of this picture."""

    __table_args__ = (
        one_of("origin", ImageOrigin),
        CheckConstraint("octet_length(sha256) = 32", name="sha256_length"),
        CheckConstraint("width > 0 AND height > 0 AND byte_size > 0", name="sizes_positive"),
        Index(None, "project_id", "id"),
        Index("ix_images_expiring", "expires_at", postgresql_where=text("deleted_at IS NULL")),
        Index("ix_images_kept", "project_id", "origin", "created_at", postgresql_where=text(KEPT)),
        Index("ix_images_removing", "removing_until", postgresql_where=text("deleted_at IS NULL")),
        Index("ix_images_thumbnails", "project_id", "thumbnail_at", postgresql_where=text(KEPT)),
        Index(None, "storage_key"),
        Index(None, "project_id", "sha256"),
    )

    @property
    def is_expired(self) -> bool:
        """Whether the file is deleted, is being deleted, or is missing."""
        return any((self.deleted_at, self.removing_until, self.lost_at))


class ImageTokens(Base):
    """A picture's token grid at one size: its drawn codes, or a cached encoding."""

    __tablename__ = "image_tokens"

    image_id: Mapped[UUID] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), primary_key=True)
    tokenizer: Mapped[str] = mapped_column(primary_key=True)
    """Fingerprint of the image tokenizer's weights: with another codebook, codes mean other pictures."""
    width: Mapped[int] = mapped_column(primary_key=True)
    height: Mapped[int] = mapped_column(primary_key=True)
    """Width and height in pixels of the panel to which the picture was fitted before it was encoded."""
    grid: Mapped[bytes]
    """`TokenGrid.to_bytes()`."""
    sha256: Mapped[bytes]
    created_at: Mapped[CreatedAt]
    certainty: Mapped[bytes | None]
    """How certain the model was of each cell, row by row: little-endian float16 of log p in nats, 0 for cells
    that were kept. Null if no job of this installation has drawn the picture whole."""

    __table_args__ = (
        CheckConstraint("octet_length(sha256) = 32", name="sha256_length"),
        CheckConstraint("octet_length(grid) > 8", name="grid_not_empty"),
        Index(None, "sha256"),
        CheckConstraint("octet_length(certainty) = octet_length(grid) - 8", name="certainty_of_each_cell"),
    )


class PictureRestore(Base):
    """An expired picture that is to be decoded from its codes again.

    The transaction that gives the picture its new file deletes the row. If it is given up, the row stays with
    the reason, until a client asks again.
    """

    __tablename__ = "picture_restores"

    image_id: Mapped[UUID] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), primary_key=True)
    folder: Mapped[str]
    """Folder of the new file: no earlier file of the picture was in it, so no late deletion can meet it."""
    tries: Mapped[Small] = mapped_column(server_default=text("0"))
    available_at: Mapped[CreatedAt]
    """Time before which the row is not taken: an io worker is decoding it, or a retry waits."""
    taken_by: Mapped[UUID | None]
    """The fencing token, a new one each time the row is taken."""
    error_code: Mapped[str | None]
    """A `RestoreError`; null while the picture may still be restored."""
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("tries >= 0", name="tries_not_negative"),
        Index("ix_picture_restores_waiting", "available_at", postgresql_where=text("error_code IS NULL")),
        Index(None, "folder"),
    )


class Candidate(Base):
    """One picture of a job's answer. A turn starts from a candidate, so a session is a tree."""

    __tablename__ = "candidates"

    id: Mapped[Uuid7]
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    image_id: Mapped[UUID] = mapped_column(ForeignKey("images.id"), unique=True)
    position: Mapped[Small]
    """Index in the answer, from 0."""
    score: Mapped[float | None]
    """Sum of log p_cond - log p_uncond over the picture's tokens; higher means a better fit to the prompt."""
    partial: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether only a part was drawn, because the job was canceled."""
    drawn_index: Mapped[Small | None]
    """Index among the drawn candidates; null if it is the position."""
    starred_at: Mapped[datetime | None]
    changed_cells: Mapped[int | None]
    """Cells of an edit whose code differs from the given picture's; null for other tasks and for parts."""

    __table_args__ = (
        CheckConstraint("position >= 0", name="position_not_negative"),
        CheckConstraint("changed_cells >= 0", name="changed_cells_not_negative"),
        UniqueConstraint("job_id", "position"),
        UniqueConstraint("id", "job_id"),
    )
