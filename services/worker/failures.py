"""Why an attempt failed, in the words of the job: the one place where an exception becomes a JobError."""

import torch
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from services.worker.engine.errors import CapacityError, PromptError
from services.worker.tokenizer_client import TokenizerRefusedError, TokenizerUnavailableError
from shared.job_errors import JobError, JobErrorCode
from shared.storage import ObjectMissingError, StorageError

CPU_OUT_OF_MEMORY = "can't allocate memory"
"""What PyTorch's CPU allocator says in a plain RuntimeError."""

KNOWN_ERRORS: tuple[tuple[tuple[type[Exception], ...], JobErrorCode, str | None], ...] = (
    ((ValidationError, PromptError), JobErrorCode.INVALID_REQUEST, None),
    ((CapacityError,), JobErrorCode.REQUEST_TOO_LARGE, None),
    ((TokenizerUnavailableError,), JobErrorCode.TOKENIZER_UNAVAILABLE, None),
    ((ObjectMissingError,), JobErrorCode.IMAGE_UNAVAILABLE, "A picture's bytes are gone from the storage."),
    ((StorageError,), JobErrorCode.STORAGE_UNAVAILABLE, "The object storage does not answer."),
    ((SQLAlchemyError,), JobErrorCode.STORAGE_UNAVAILABLE, "The database does not answer."),
)
"""Kinds of errors, the first that fits counts; None passes the error's own words on."""


class JobFailureError(Exception):
    """The job cannot be done, for a reason that is known exactly."""

    def __init__(self, error: JobError) -> None:
        self.error = error
        super().__init__(error.message)


def failure(code: JobErrorCode, message: str) -> JobFailureError:
    """A known reason, to be raised."""
    return JobFailureError(JobError(code, message))


def job_error(error: BaseException) -> JobError:
    """What the user is told. An unforeseen error tells nothing of our insides; the log has it."""
    if isinstance(error, JobFailureError):
        return error.error
    if is_out_of_memory(error):
        return JobError(JobErrorCode.OUT_OF_MEMORY, "The device has no memory left for this picture.")
    if isinstance(error, TokenizerRefusedError) and error.code.startswith("image_"):
        return JobError(JobErrorCode.IMAGE_UNREADABLE, str(error))
    for kinds, code, message in KNOWN_ERRORS:
        if isinstance(error, kinds):
            return JobError(code, message or str(error))
    return JobError(JobErrorCode.INTERNAL_ERROR, "The worker met an error that it does not know.")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device or the machine had no memory left."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and CPU_OUT_OF_MEMORY in str(error)
