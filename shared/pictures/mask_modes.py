"""The ways in which a mask can mark the part of a picture that an edit may change."""

from enum import StrEnum


class MaskReading(StrEnum):
    """Reading of a mask: white, black or transparent pixels mark the part that may change."""

    WHITE_EDITS = "white_edits"
    TRANSPARENT_EDITS = "transparent_edits"
    BLACK_EDITS = "black_edits"


class MaskMode(StrEnum):
    """Value of `mask_mode` in a request: one of the readings, or auto to choose by the mask's content."""

    AUTO = "auto"
    WHITE_EDITS = "white_edits"
    TRANSPARENT_EDITS = "transparent_edits"
    BLACK_EDITS = "black_edits"
    """The opposite of `white_edits`; auto never chooses it."""
