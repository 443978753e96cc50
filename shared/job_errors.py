"""The stable codes with which a job can end, whether trying again can help, and what to do about each."""

from dataclasses import dataclass
from enum import StrEnum, unique


@unique
class JobErrorCode(StrEnum):
    """A job's `error.code`; clients may depend on it."""

    INVALID_REQUEST = "invalid_request"
    IMAGE_UNREADABLE = "image_unreadable"
    IMAGE_UNAVAILABLE = "image_unavailable"
    REQUEST_TOO_LARGE = "request_too_large"
    MODEL_UNAVAILABLE = "model_unavailable"
    OUT_OF_MEMORY = "out_of_memory"
    WORKER_LOST = "worker_lost"
    TOKENIZER_UNAVAILABLE = "tokenizer_unavailable"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True)
class JobErrorKind:
    """What is always true of a code."""

    retryable: bool
    """Whether the same request may succeed another time."""
    hint: str


JOB_ERRORS: dict[JobErrorCode, JobErrorKind] = {
    JobErrorCode.INVALID_REQUEST: JobErrorKind(False, "Correct the request; the message names the field."),
    JobErrorCode.IMAGE_UNREADABLE: JobErrorKind(False, "Send a complete PNG, JPEG or WebP picture."),
    JobErrorCode.IMAGE_UNAVAILABLE: JobErrorKind(
        False, "Check that the URL can be fetched from the server, or upload the picture."
    ),
    JobErrorCode.REQUEST_TOO_LARGE: JobErrorKind(False, "Ask for a smaller picture or fewer candidates."),
    JobErrorCode.MODEL_UNAVAILABLE: JobErrorKind(True, "Wait until a worker with this model runs."),
    JobErrorCode.OUT_OF_MEMORY: JobErrorKind(True, "Ask for a smaller picture, or try again later."),
    JobErrorCode.WORKER_LOST: JobErrorKind(True, "Try again; look at the worker's log if it comes back."),
    JobErrorCode.TOKENIZER_UNAVAILABLE: JobErrorKind(True, "Try again when the tokenizer service answers."),
    JobErrorCode.STORAGE_UNAVAILABLE: JobErrorKind(True, "Try again when the object storage answers."),
    JobErrorCode.DEADLINE_EXCEEDED: JobErrorKind(True, "Allow more time with start_by or finish_by."),
    JobErrorCode.INTERNAL_ERROR: JobErrorKind(False, "Report it with the job's id."),
}


@dataclass(frozen=True)
class JobError:
    """Why an attempt failed: a code and one sentence for the user."""

    code: JobErrorCode
    message: str

    @property
    def retryable(self) -> bool:
        """Whether another attempt can help."""
        return JOB_ERRORS[self.code].retryable

    @property
    def hint(self) -> str:
        """What the user can do."""
        return JOB_ERRORS[self.code].hint
