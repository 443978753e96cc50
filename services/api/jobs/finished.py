"""The pictures of a job that a request has waited for, for routes whose answer is the pictures themselves."""

from collections.abc import Sequence

from services.api.images.credentials import with_credentials
from services.api.images.repository import read_content
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from shared.ids import IdKind, format_id
from shared.job_errors import JobErrorCode
from shared.job_view.view import JobRows
from shared.jobs import FINAL_STATES, JobState
from shared.tables import Job

NO_RETRY = {"x-should-retry": "false"}
"""Header of an answer after which a client must not send its request again."""
FAULTS_OF_REQUESTS = frozenset(
    {
        JobErrorCode.INVALID_REQUEST,
        JobErrorCode.IMAGE_UNREADABLE,
        JobErrorCode.IMAGE_UNAVAILABLE,
        JobErrorCode.REQUEST_TOO_LARGE,
    }
)
"""Errors of jobs that the client can mend; the others are the platform's."""


def succeeded(rows: JobRows) -> JobRows:
    """The job. Raises Problem if it has not succeeded; the client must not send its request again then."""
    if JobState(rows.job.state) is not JobState.SUCCEEDED:
        raise problem_of_job(rows.job)
    return rows


def problem_of_job(job: Job) -> Problem:
    """The problem of a job that has not succeeded."""
    state, name = JobState(job.state), format_id(IdKind.JOB, job.id)
    if state not in FINAL_STATES:
        detail = f"The job {name} has not ended yet; read it at /v1/jobs/{name}."
        return Problem(ProblemCode.JOB_NOT_ENDED, detail, param="job", headers=NO_RETRY)
    is_clients = state is JobState.CANCELED or job.error_code in FAULTS_OF_REQUESTS
    code = ProblemCode.INVALID_REQUEST if is_clients else ProblemCode.JOB_FAILED
    detail = f"The job {name} is {state}: {job.error_message or 'a client has canceled it.'}"
    return Problem(code, detail, param="job", headers=NO_RETRY)


async def read_files(gateway: Gateway, rows: JobRows) -> Sequence[bytes]:
    """The PNG files of the job's pictures, in order. Raises Problem (image_expired) or StorageError."""
    files = [(output.image, await read_content(gateway, output.image)) for output in rows.outputs]
    return [await with_credentials(gateway, image, file, image.media_type) for image, file in files]
