"""The message of an event in JSON, by the Standard Webhooks specification 1.0.0. Pure."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.ids import IdKind, format_id
from shared.jobs import JobEvent, target
from shared.schemas.job_response import JobResponse
from shared.tables import WebhookEndpoint

MOST_BYTES = 20_000
"""Size that the specification recommends as the limit of a message."""
LEFT_OUT = ("request", "metadata")
"""Fields of a job that a message leaves out, in this order, while it would be larger."""


def event_message(event_type: str, timestamp: datetime, data: Mapping[str, Any], **more: Any) -> str:
    """The message of any event. timestamp: time of the event."""
    message = {"type": event_type, "timestamp": timestamp.isoformat(), **more, "data": dict(data)}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def job_message(event_type: str, timestamp: datetime, sequence: int, job: JobResponse) -> str:
    """The message of a job's event with the job as the API shows it.

    sequence: number of the event among those of the job. A job that makes the message larger than 20 kB lacks
    its `request`, or also its `metadata`; `data.left_out` names them.
    """
    shown = job.model_dump(mode="json", by_alias=True)
    message = ""
    for count in range(len(LEFT_OUT) + 1):
        message = event_message(event_type, timestamp, without(shown, LEFT_OUT[:count]), seq=sequence)
        if len(message.encode()) <= MOST_BYTES:
            break
    return message


def without(job: Mapping[str, Any], left_out: Sequence[str]) -> dict[str, Any]:
    """The data of a message, without these fields of the job."""
    data: dict[str, Any] = {"job": {name: value for name, value in job.items() if name not in left_out}}
    return data | {"left_out": left_out} if left_out else data


def thin_job_message(event_type: str, timestamp: datetime, sequence: int, job: JobResponse) -> str:
    """The message of a job's event with the job's id, its state after the event, and its URL."""
    after = target(JobEvent(event_type.removeprefix("job.")))
    data = {"job": {"id": job.id, "object": "job", "status": after.value, "links": {"self": job.links.self}}}
    return event_message(event_type, timestamp, data, seq=sequence)


def endpoint_message(event_type: str, timestamp: datetime, endpoint: WebhookEndpoint) -> str:
    """The message of an event of an endpoint itself."""
    shown = {
        "id": format_id(IdKind.WEBHOOK_ENDPOINT, endpoint.id),
        "object": "webhook_endpoint",
        "name": endpoint.name,
        "disabled_at": endpoint.disabled_at and endpoint.disabled_at.isoformat(),
        "disabled_reason": endpoint.disabled_reason,
    }
    return event_message(event_type, timestamp, {"webhook_endpoint": shown})
