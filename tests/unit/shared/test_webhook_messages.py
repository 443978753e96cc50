"""The message of a job's event: its form, and its size."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.schemas.examples import JOB_EXAMPLE
from shared.schemas.job_response import JobResponse
from shared.webhooks.messages import MOST_BYTES, job_message, thin_job_message

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def message(**changes: Any) -> tuple[dict[str, Any], int]:
    text = job_message("job.succeeded", NOON, 3, JobResponse.model_validate(JOB_EXAMPLE | changes))
    return json.loads(text), len(text.encode())


def test_a_message_says_what_happened_when_and_to_which_job() -> None:
    found, _ = message()
    assert found["type"] == "job.succeeded"
    assert found["timestamp"] == "2026-01-01T12:00:00+00:00"
    assert found["seq"] == 3
    assert list(found["data"]) == ["job"]
    assert found["data"]["job"]["links"] == JOB_EXAMPLE["links"]
    assert found["data"]["job"]["outputs"] == JOB_EXAMPLE["outputs"]


@pytest.mark.parametrize(
    ("request_length", "metadata_length", "left_out"),
    [(100, 0, []), (20_000, 0, ["request"]), (20_000, 20_000, ["request", "metadata"])],
)
def test_a_large_job_lacks_its_request_and_then_its_metadata(
    request_length: int, metadata_length: int, left_out: list[str]
) -> None:
    found, size = message(request={"prompt": "ü" * request_length}, metadata={"note": "n" * metadata_length})
    assert size <= MOST_BYTES
    assert found["data"].get("left_out", []) == left_out
    assert {"request", "metadata"} - found["data"]["job"].keys() == set(left_out)
    assert found["data"]["job"]["id"] == JOB_EXAMPLE["id"]


def test_a_thin_message_has_the_state_after_its_event_and_not_that_of_now() -> None:
    job = JobResponse.model_validate(JOB_EXAMPLE)
    found = json.loads(thin_job_message("job.started", NOON, 2, job))
    links = {"self": JOB_EXAMPLE["links"]["self"]}
    shown = {"id": JOB_EXAMPLE["id"], "object": "job", "status": "running", "links": links}
    assert found["data"] == {"job": shown}
    assert found["seq"] == 2
