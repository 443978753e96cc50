"""Errors of requests: one table of stable codes, and one exception.

The `type` of an error response is the address `/problems/{code}`, which shows the entry of the table.
`docs/problems.md` is the same table as a page (`python -m services.api.problems.page`).
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum, unique

from shared.errors import LuminaryError
from shared.problem_documents import FieldError, ProblemKind


@unique
class ProblemCode(StrEnum):
    """The `code` of an error response. Codes are stable: clients may depend on them."""

    MALFORMED_REQUEST = "malformed_request"
    INVALID_REQUEST = "invalid_request"
    UNAUTHENTICATED = "unauthenticated"
    PROJECT_DISABLED = "project_disabled"
    INSUFFICIENT_SCOPE = "insufficient_scope"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    API_KEY_ENDED = "api_key_ended"
    PROJECT_NAME_TAKEN = "project_name_taken"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    REQUEST_TIMEOUT = "request_timeout"
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    IMAGE_UNREADABLE = "image_unreadable"
    IMAGE_TOO_LARGE = "image_too_large"
    IMAGE_TOO_COMPLEX = "image_too_complex"
    IMAGE_UNAVAILABLE = "image_unavailable"
    IMAGE_URL_FORBIDDEN = "image_url_forbidden"
    IMAGE_EXPIRED = "image_expired"
    IMAGE_NOT_RESTORABLE = "image_not_restorable"
    WEBHOOK_URL_FORBIDDEN = "webhook_url_forbidden"
    WEBHOOK_ENDPOINT_DISABLED = "webhook_endpoint_disabled"
    ROTATION_OVERLAPS = "rotation_overlaps"
    TOO_MANY_WEBHOOK_ENDPOINTS = "too_many_webhook_endpoints"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    IDEMPOTENCY_KEY_IN_FLIGHT = "idempotency_key_in_flight"
    JOB_NOT_RETRYABLE = "job_not_retryable"
    JOB_NOT_REPLAYABLE = "job_not_replayable"
    JOB_NOT_ENDED = "job_not_ended"
    JOB_IN_SESSION = "job_in_session"
    JOB_FAILED = "job_failed"
    HEAD_MOVED = "head_moved"
    NOTHING_TO_UNDO = "nothing_to_undo"
    NOTHING_TO_REDO = "nothing_to_redo"
    CONFIRMATION_NEEDED = "confirmation_needed"
    IMPORT_INVALID = "import_invalid"
    IMPORT_TOO_LARGE = "import_too_large"
    MODEL_NOT_FOUND = "model_not_found"
    MODEL_UNAVAILABLE = "model_unavailable"
    NUMERICS_UNAVAILABLE = "numerics_unavailable"
    TOO_MANY_QUEUED_JOBS = "too_many_queued_jobs"
    TOO_MANY_REQUESTS = "too_many_requests"
    TOO_MANY_PICTURES = "too_many_pictures"
    STORAGE_QUOTA_REACHED = "storage_quota_reached"
    TOO_MANY_STREAMS = "too_many_streams"
    TOO_MANY_CHECKS = "too_many_checks"
    EVENT_ID_UNKNOWN = "event_id_unknown"
    EVENTS_UNAVAILABLE = "events_unavailable"
    GATEWAY_BUSY = "gateway_busy"
    DATABASE_UNAVAILABLE = "database_unavailable"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    DECODERS_BUSY = "decoders_busy"
    INTERNAL_ERROR = "internal_error"


PROBLEMS: dict[ProblemCode, ProblemKind] = {
    ProblemCode.MALFORMED_REQUEST: ProblemKind(
        400,
        "Malformed request",
        "The request or its body cannot be parsed, or a header occurs twice.",
        "Send well-formed JSON or multipart/form-data, and each header once.",
    ),
    ProblemCode.INVALID_REQUEST: ProblemKind(
        422,
        "Invalid request",
        "A field has an invalid value, is unknown or missing, or contradicts another field.",
        "Correct the fields listed in `errors`.",
    ),
    ProblemCode.UNAUTHENTICATED: ProblemKind(
        401,
        "Authentication required",
        "The request has no API key, or the key is unknown, revoked or expired.",
        "Send `Authorization: Bearer lum_...` with a valid key.",
    ),
    ProblemCode.PROJECT_DISABLED: ProblemKind(
        403,
        "Project disabled",
        "The API key is valid, but its project has been disabled.",
        "Ask the operator to enable the project.",
    ),
    ProblemCode.INSUFFICIENT_SCOPE: ProblemKind(
        403,
        "Insufficient scope",
        "The API key is valid, but has none of the scopes that this request needs.",
        "Use a key with the scope that `detail` names; an operator can add scopes to a key.",
    ),
    ProblemCode.ADDRESS_NOT_ALLOWED: ProblemKind(
        403,
        "Address not allowed",
        "The API key may be used from some networks only (`allowed_networks`), and the client is in none.",
        "Call from an allowed network. Behind a proxy, the operator sets `GATEWAY_TRUSTED_PROXIES`.",
    ),
    ProblemCode.API_KEY_ENDED: ProblemKind(
        409,
        "API key ended",
        "The API key to be changed or rotated is revoked or expired.",
        "Create a new key.",
    ),
    ProblemCode.PROJECT_NAME_TAKEN: ProblemKind(
        409,
        "Project name taken",
        "Another project has this name.",
        "Choose another name.",
    ),
    ProblemCode.NOT_FOUND: ProblemKind(
        404,
        "Not found",
        "The project of the API key has nothing with this id, or the path does not exist.",
        "Check the path and the id, and that the API key belongs to the same project.",
    ),
    ProblemCode.METHOD_NOT_ALLOWED: ProblemKind(
        405,
        "Method not allowed",
        "The path exists, but does not support this method.",
        "Use a method that is listed in the header `Allow`.",
    ),
    ProblemCode.REQUEST_TIMEOUT: ProblemKind(
        408,
        "Request timeout",
        "The headers or the body did not arrive in time (`GATEWAY_HEADER_SECONDS`, `GATEWAY_BODY_SECONDS`).",
        "Send the request again over a faster connection, or with a smaller picture.",
    ),
    ProblemCode.BODY_TOO_LARGE: ProblemKind(
        413,
        "Body too large",
        "The body is longer than `GATEWAY_MAX_BODY_BYTES`, or its JSON is longer than 1 MiB without the "
        "pictures.",
        "Send a smaller picture, or upload each picture with its own request.",
    ),
    ProblemCode.UNSUPPORTED_MEDIA_TYPE: ProblemKind(
        415,
        "Unsupported media type",
        "This endpoint does not accept the `Content-Type` of the request, or the body is compressed.",
        "Send an uncompressed body with `Content-Type: application/json`; `POST /v1/images` accepts "
        "`multipart/form-data` as well.",
    ),
    ProblemCode.IMAGE_UNREADABLE: ProblemKind(
        422,
        "Image unreadable",
        "The file is not a complete PNG, JPEG, WebP or GIF picture.",
        "Send the whole file in one of these formats.",
    ),
    ProblemCode.IMAGE_TOO_LARGE: ProblemKind(
        422,
        "Image too large",
        "The picture has too many pixels, or the file behind the URL has too many bytes.",
        "Scale the picture down.",
    ),
    ProblemCode.IMAGE_TOO_COMPLEX: ProblemKind(
        422,
        "Image too complex",
        "Decoding the picture takes far longer than decoding any usual picture of its size.",
        "Save the picture again, for example as a PNG or a baseline JPEG.",
    ),
    ProblemCode.IMAGE_UNAVAILABLE: ProblemKind(
        422,
        "Image unavailable",
        "The URL could not be fetched: its host was not found, did not answer in time, or did not answer "
        "with status 200.",
        "Check that the URL works from the public internet, or upload the file.",
    ),
    ProblemCode.IMAGE_URL_FORBIDDEN: ProblemKind(
        422,
        "Image URL forbidden",
        "The URL is not http or https, contains a user name, has a port that is not allowed, or its host has "
        "an address that is not public.",
        "Upload the file instead.",
    ),
    ProblemCode.IMAGE_EXPIRED: ProblemKind(
        410,
        "Image expired",
        "The picture has expired, and its file was deleted.",
        "If `GET /v1/images/{id}` shows `restorable`, send `POST /v1/images/{id}/restore`. A drawn picture "
        "can also be generated again: the same request with the same seed gives the same picture.",
    ),
    ProblemCode.IMAGE_NOT_RESTORABLE: ProblemKind(
        409,
        "Image not restorable",
        "The picture has expired, and it was uploaded, its tokens are not kept, pixels of another picture "
        "were put back into it (`composite`), or a client has deleted it.",
        "Upload the picture again, or repeat the job that drew it.",
    ),
    ProblemCode.WEBHOOK_URL_FORBIDDEN: ProblemKind(
        422,
        "Webhook URL forbidden",
        "The URL of the webhook contains a user name, has a port that is not allowed, or its host is "
        "an address that is not public.",
        "Use a URL on port 80 or 443 of a public host, or ask the operator to allow the network.",
    ),
    ProblemCode.WEBHOOK_ENDPOINT_DISABLED: ProblemKind(
        409,
        "Webhook endpoint disabled",
        "The webhook endpoint is disabled, so nothing is sent to it.",
        "Enable it: `POST /v1/webhook_endpoints/{id}/enable`.",
    ),
    ProblemCode.ROTATION_OVERLAPS: ProblemKind(
        409,
        "Rotation overlaps",
        "The secret was rotated lately, and the one before still signs as well.",
        "Wait until the overlap is over, or set `force`; "
        "receivers with the oldest secret then refuse what arrives.",
    ),
    ProblemCode.TOO_MANY_WEBHOOK_ENDPOINTS: ProblemKind(
        409,
        "Too many webhook endpoints",
        "The project has as many webhook endpoints as it may have.",
        "Delete one that is no longer used.",
    ),
    ProblemCode.IDEMPOTENCY_KEY_REUSED: ProblemKind(
        422,
        "Idempotency key reused",
        "This Idempotency-Key was already used for a request with another body.",
        "Use a new key for each new request.",
    ),
    ProblemCode.IDEMPOTENCY_KEY_IN_FLIGHT: ProblemKind(
        409,
        "Idempotency key in flight",
        "The first request with this Idempotency-Key is still being processed.",
        "Repeat the request after `Retry-After` seconds.",
    ),
    ProblemCode.JOB_NOT_RETRYABLE: ProblemKind(
        409,
        "Job not retryable",
        "Only jobs that are `failed`, `expired` or `canceled` can be retried.",
        "Wait for the end of the job, or send its request again with `POST /v1/jobs` for another picture.",
    ),
    ProblemCode.JOB_NOT_REPLAYABLE: ProblemKind(
        409,
        "Job not replayable",
        "Only jobs that are `succeeded` have pictures to compare a replay with.",
        "Wait for the end of the job; a failed job can be retried with `POST /v1/jobs/{id}/retry`.",
    ),
    ProblemCode.JOB_NOT_ENDED: ProblemKind(
        409,
        "Job not ended",
        "The job is waiting or running, so it cannot be deleted; or a request below `/openai/v1` or "
        "`/sdapi/v1` has waited for it as long as it may.",
        "Cancel the job with `POST /v1/jobs/{id}/cancel`, and delete it when it is `canceled`. For its "
        "pictures, read `/v1/jobs/{id}` until it has ended.",
    ),
    ProblemCode.JOB_IN_SESSION: ProblemKind(
        409,
        "Job in session",
        "The job is a turn of a session, or a session starts from one of its pictures, so it cannot be "
        "changed by itself.",
        "Use the routes below `/v1/sessions/{id}`, which keep the session's tree complete.",
    ),
    ProblemCode.HEAD_MOVED: ProblemKind(
        412,
        "Head moved",
        "The head of the session is no longer the one that `If-Match` names.",
        "Read the session, and repeat the request with the head's new ETag.",
    ),
    ProblemCode.NOTHING_TO_UNDO: ProblemKind(
        409,
        "Nothing to undo",
        "The head is at the beginning of the session.",
        "Move the head with `PUT /v1/sessions/{id}/head`.",
    ),
    ProblemCode.NOTHING_TO_REDO: ProblemKind(
        409,
        "Nothing to redo",
        "The head was not moved by an undo, or it was moved otherwise since.",
        "Move the head with `PUT /v1/sessions/{id}/head`.",
    ),
    ProblemCode.CONFIRMATION_NEEDED: ProblemKind(
        409,
        "Confirmation needed",
        "The request deletes several turns, and `confirm` is not their number.",
        "Repeat the request with `?confirm=` and the number in `detail`.",
    ),
    ProblemCode.IMPORT_INVALID: ProblemKind(
        422,
        "Import invalid",
        "The zip file is damaged, or is not an export of a session in a format that this version knows. "
        "Nothing was imported.",
        "Send the file as `GET /v1/sessions/{session_id}/export` has sent it; `param` names the faulty file.",
    ),
    ProblemCode.IMPORT_TOO_LARGE: ProblemKind(
        413,
        "Import too large",
        "The zip file, also when it is expanded, is larger than `GATEWAY_MAX_IMPORT_BYTES`, or one of its "
        "files is larger than an export makes it.",
        "Ask the operator to raise the limit, or delete branches before the export.",
    ),
    ProblemCode.JOB_FAILED: ProblemKind(
        502,
        "Job failed",
        "Below `/openai/v1` or `/sdapi/v1`: the job of this request failed in a worker.",
        "Read the job at `/v1/jobs/{id}`: its error has a hint. `POST /v1/jobs/{id}/retry` repeats it.",
    ),
    ProblemCode.MODEL_NOT_FOUND: ProblemKind(
        400,
        "Model not found",
        "Below `/openai/v1`: no worker has a model with this name, and no alias covers it "
        "(`GATEWAY_OPENAI_ALIASES`).",
        "Use a name from `GET /openai/v1/models`.",
    ),
    ProblemCode.MODEL_UNAVAILABLE: ProblemKind(
        422,
        "Model unavailable",
        "No running worker has a model with this name.",
        "Use a name from `GET /v1/models`, or leave `model` out.",
    ),
    ProblemCode.NUMERICS_UNAVAILABLE: ProblemKind(
        422,
        "Numerics unavailable",
        "No worker with this numerics identity is running or was running recently, so the picture cannot be "
        "drawn with the same bits.",
        "Use an identity from `GET /v1/models`, or leave `numerics` out; the bits may then differ.",
    ),
    ProblemCode.TOO_MANY_QUEUED_JOBS: ProblemKind(
        429,
        "Too many queued jobs",
        "The project has as many waiting jobs as it may have.",
        "Wait until some of them have started, or cancel some.",
    ),
    ProblemCode.TOO_MANY_REQUESTS: ProblemKind(
        429,
        "Too many requests",
        "The project makes more requests a minute, or at the same time, than it may.",
        "Repeat the request after `Retry-After` seconds; `RateLimit` says how many are left.",
    ),
    ProblemCode.TOO_MANY_PICTURES: ProblemKind(
        429,
        "Too many pictures",
        "The jobs of this day (UTC) ask for as many pictures as the project may have drawn in a day.",
        "Repeat the request tomorrow, or ask the operator for a higher limit.",
    ),
    ProblemCode.STORAGE_QUOTA_REACHED: ProblemKind(
        403,
        "Storage quota reached",
        "The project's kept pictures have as many bytes as they may have.",
        "Delete jobs or sessions, or ask the operator for a shorter retention or a higher limit.",
    ),
    ProblemCode.TOO_MANY_STREAMS: ProblemKind(
        429,
        "Too many streams",
        "The project has as many open event streams as it may have (`GATEWAY_MAX_STREAMS_PER_PROJECT`).",
        "Close some of them; one stream of `GET /v1/events` has the events of all jobs.",
    ),
    ProblemCode.TOO_MANY_CHECKS: ProblemKind(
        429,
        "Too many checks",
        "The project, or the address of a caller without a key, has had more pictures checked than "
        "`GATEWAY_CHECKS_PER_MINUTE`.",
        "Repeat the request after `Retry-After` seconds.",
    ),
    ProblemCode.EVENT_ID_UNKNOWN: ProblemKind(
        410,
        "Event id unknown",
        "This database has not had the event id: it was restored from a backup, or replaced by another one.",
        "Read the jobs or sessions that you follow once, then open the stream without `Last-Event-ID`.",
    ),
    ProblemCode.EVENTS_UNAVAILABLE: ProblemKind(
        503,
        "Events unavailable",
        "The database was restored from a dump and not migrated since, so its events have no order yet.",
        "Ask the operator to run `python -m migrations` once.",
    ),
    ProblemCode.GATEWAY_BUSY: ProblemKind(
        503,
        "Gateway busy",
        "Too many connections or event streams are open, or too many large bodies are being read.",
        "Repeat the request after `Retry-After` seconds.",
    ),
    ProblemCode.DATABASE_UNAVAILABLE: ProblemKind(
        503,
        "Database unavailable",
        "The database does not answer.",
        "Repeat the request after `Retry-After` seconds; an `Idempotency-Key` prevents a second job.",
    ),
    ProblemCode.STORAGE_UNAVAILABLE: ProblemKind(
        503,
        "Storage unavailable",
        "The object storage does not answer.",
        "Repeat the request after `Retry-After` seconds.",
    ),
    ProblemCode.DECODERS_BUSY: ProblemKind(
        503,
        "Decoders busy",
        "Too many pictures of the project are waiting to be decoded, or the machine is overloaded.",
        "Repeat the request after `Retry-After` seconds.",
    ),
    ProblemCode.INTERNAL_ERROR: ProblemKind(
        500,
        "Internal error",
        "An error in the gateway; its log has the details under the `request_id`.",
        "Report the error with its `request_id`.",
    ),
}


class Problem(LuminaryError):  # noqa: N818  (the word of RFC 9457)
    """The request is refused. `detail` is one sentence for the user; `kind` is the entry of its code."""

    def __init__(
        self,
        code: ProblemCode,
        detail: str,
        param: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`param` names the faulty field; without `errors`, it becomes the only entry there."""
        super().__init__(detail)
        self.kind = PROBLEMS[code]
        self.code, self.hint = code, self.kind.remedy
        self.detail, self.param, self.headers = detail, param, headers or {}
        self.retryable = "Retry-After" in self.headers
        self.errors = errors
        if not errors and param:
            self.errors = [FieldError(param=param, code=code.value, message=detail)]
