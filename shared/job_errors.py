"""The stable error codes of jobs, each with a hint and whether trying again can help."""

from dataclasses import dataclass
from enum import StrEnum, unique


@unique
class JobErrorCode(StrEnum):
    """The `error.code` of a job. Codes are stable: clients may depend on them."""

    INVALID_REQUEST = "invalid_request"
    IMAGE_UNREADABLE = "image_unreadable"
    IMAGE_UNAVAILABLE = "image_unavailable"
    REQUEST_TOO_LARGE = "request_too_large"
    MODEL_UNAVAILABLE = "model_unavailable"
    NUMERICS_UNAVAILABLE = "numerics_unavailable"
    PARENT_WITHOUT_PICTURE = "parent_without_picture"
    OUT_OF_MEMORY = "out_of_memory"
    WORKER_LOST = "worker_lost"
    TOKENIZER_UNAVAILABLE = "tokenizer_unavailable"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True)
class JobErrorKind:
    """The attributes of a code, the same for every job."""

    retryable: bool
    """Whether the same request may succeed later."""
    hint: str
    """One sentence about what the user can do."""


JOB_ERRORS: dict[JobErrorCode, JobErrorKind] = {
    JobErrorCode.INVALID_REQUEST: JobErrorKind(False, "Correct the request; the message names the field."),
    JobErrorCode.IMAGE_UNREADABLE: JobErrorKind(False, "Send a complete PNG, JPEG, WebP or GIF picture."),
    JobErrorCode.IMAGE_UNAVAILABLE: JobErrorKind(
        False, "Check that the URL can be fetched from the server, or upload the picture."
    ),
    JobErrorCode.REQUEST_TOO_LARGE: JobErrorKind(False, "Request a smaller picture or fewer candidates."),
    JobErrorCode.MODEL_UNAVAILABLE: JobErrorKind(True, "Wait until a worker with this model runs."),
    JobErrorCode.NUMERICS_UNAVAILABLE: JobErrorKind(
        True, "Wait until a worker with this numerics identity runs, or leave `numerics` out."
    ),
    JobErrorCode.PARENT_WITHOUT_PICTURE: JobErrorKind(
        False, "Start again from a job or a turn that has a picture."
    ),
    JobErrorCode.OUT_OF_MEMORY: JobErrorKind(True, "Request a smaller picture, or try again later."),
    JobErrorCode.WORKER_LOST: JobErrorKind(
        True, "Try again; if it happens again, look at the workers' logs."
    ),
    JobErrorCode.TOKENIZER_UNAVAILABLE: JobErrorKind(True, "Try again when the tokenizer service answers."),
    JobErrorCode.STORAGE_UNAVAILABLE: JobErrorKind(True, "Try again when the object storage answers."),
    JobErrorCode.DEADLINE_EXCEEDED: JobErrorKind(True, "Allow more time with start_by or finish_by."),
    JobErrorCode.INTERNAL_ERROR: JobErrorKind(False, "Report the error with the job's id."),
}


@dataclass(frozen=True)
class JobError:
    """The error of a failed attempt: a code and one sentence for the user."""

    code: JobErrorCode
    message: str

    @property
    def retryable(self) -> bool:
        """Whether another attempt can help."""
        return JOB_ERRORS[self.code].retryable

    @property
    def hint(self) -> str:
        """One sentence about what the user can do."""
        return JOB_ERRORS[self.code].hint
