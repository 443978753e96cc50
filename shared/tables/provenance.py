"""The registry of drawn pictures: fingerprints by which the platform recognises its own pictures."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from shared.tables.base import Base, CreatedAt


class PictureFingerprint(Base):
    """Fingerprint of one drawn picture; it is deleted with the picture's row, not when the file expires."""

    __tablename__ = "picture_fingerprints"

    image_id: Mapped[UUID] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), primary_key=True)
    tokenizer: Mapped[str]
    """Fingerprint of the image tokenizer that made the codes."""
    pixels_sha256: Mapped[bytes]
    """`shared.fingerprints.pixels_hash` of the file."""
    tokens_sha256: Mapped[bytes]
    runs: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    """`shared.fingerprints.kept_runs` of the codes."""
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint(
            "octet_length(pixels_sha256) = 32 AND octet_length(tokens_sha256) = 32", name="hash_lengths"
        ),
        CheckConstraint("cardinality(runs) <= 64", name="runs_bounded"),
        Index(None, "pixels_sha256", postgresql_using="hash"),
        Index(None, "tokens_sha256", postgresql_using="hash"),
        Index(None, "runs", postgresql_using="gin"),
    )
