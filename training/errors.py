"""Errors of the training programs that the user can fix.

TrainingError
├── BadDataError     a whole file or folder of the user's data
└── BadRecordError   one record of the user's data
"""

from shared.errors import LuminaryError


class TrainingError(LuminaryError, ValueError):
    """An option, a file or a folder cannot be used; the message is one line and says what to do instead."""

    code = "training_error"
    hint = "Read the message; it says what to do instead."


class BadDataError(TrainingError):
    """A whole file or folder cannot be used."""

    code = "data_invalid"


class BadRecordError(TrainingError):
    """One record cannot be used."""

    code = "record_invalid"
