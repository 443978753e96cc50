"""Turn the exception of an attempt into the JobError of its job. This happens nowhere else."""

import torch
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from services.worker.engine.errors import CapacityError, PromptError
from services.worker.patience import TRANSIENT
from services.worker.tokenizer_client import (
    TokenizerFailedError,
    TokenizerRefusedError,
    TokenizerUnavailableError,
)
from shared.errors import LuminaryError
from shared.job_errors import JobError, JobErrorCode
from shared.storage import ObjectMissingError, StorageError

CPU_OUT_OF_MEMORY = "can't allocate memory"
"""Part of the message of the RuntimeError that PyTorch's CPU allocator raises."""

KNOWN_ERRORS: tuple[tuple[tuple[type[Exception], ...], JobErrorCode, str | None], ...] = (
    ((ValidationError, PromptError), JobErrorCode.INVALID_REQUEST, None),
    ((CapacityError,), JobErrorCode.REQUEST_TOO_LARGE, None),
    ((TokenizerUnavailableError,), JobErrorCode.TOKENIZER_UNAVAILABLE, None),
    ((ObjectMissingError,), JobErrorCode.IMAGE_UNAVAILABLE, "A picture's file is missing in the storage."),
    ((StorageError,), JobErrorCode.STORAGE_UNAVAILABLE, "The object storage does not answer."),
    ((SQLAlchemyError,), JobErrorCode.STORAGE_UNAVAILABLE, "The database does not answer."),
)
"""Exceptions, job error code, message. The first match counts; None takes the exception's own message."""


class JobFailureError(LuminaryError):
    """The job cannot be done; `error` has the exact reason."""

    def __init__(self, error: JobError) -> None:
        self.error = error
        self.code, self.retryable, self.hint = error.code, error.retryable, error.hint
        super().__init__(error.message)


def failure(code: JobErrorCode, message: str) -> JobFailureError:
    """A JobFailureError to raise."""
    return JobFailureError(JobError(code, message))


def job_error(error: BaseException) -> JobError:
    """The error that the user sees. It has no details of an unexpected error; those are in the log."""
    if isinstance(error, JobFailureError):
        return error.error
    if is_out_of_memory(error):
        return JobError(JobErrorCode.OUT_OF_MEMORY, "The worker has not enough free memory for this picture.")
    if isinstance(error, TokenizerRefusedError) and error.code.startswith("image_"):
        return JobError(JobErrorCode.IMAGE_UNREADABLE, str(error))
    for kinds, code, message in KNOWN_ERRORS:
        if isinstance(error, kinds):
            return JobError(code, message or str(error))
    return JobError(JobErrorCode.INTERNAL_ERROR, "The worker failed with an unexpected error.")


def is_outage(error: BaseException) -> bool:
    """Whether a server does not answer, while nothing is wrong with the job."""
    return isinstance(error, TRANSIENT) and not isinstance(error, TokenizerFailedError | ObjectMissingError)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the memory of a device or of the machine was exhausted."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and CPU_OUT_OF_MEMORY in str(error)
