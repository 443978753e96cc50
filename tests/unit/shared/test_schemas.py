"""Validation of job requests."""

import json
import re
from typing import Any, get_args
from uuid import UUID

import pytest
from pydantic import ValidationError

from shared.event_types import JobEventType
from shared.ids import IdKind, format_id
from shared.jobs import JobEvent, Queue
from shared.schemas.fields import check_image_source
from shared.schemas.job_response import JobLinks
from shared.schemas.jobs import TASK_QUEUES, JobRequest
from shared.tasks import Task

IMAGE = "img_" + "0" * 26
VALID: dict[str, dict[str, Any]] = {
    "text_to_image": {"prompt": "a red circle"},
    "image_pair": {"prompt": "a red circle", "target": "depth"},
    "subject": {"prompt": "on a beach", "image": IMAGE},
    "control": {"prompt": "a house", "image": IMAGE, "control": "edges"},
    "edit": {"prompt": "make it blue", "image": IMAGE},
    "dense": {"image": IMAGE, "target": "segmentation"},
}


@pytest.mark.parametrize("task", Task)
def test_every_task_is_accepted_with_exactly_what_it_needs(task: Task) -> None:
    request = JobRequest.model_validate({"task": task, **VALID[task]})
    assert (request.n, request.guidance_scale, request.top_k, request.temperature) == (1, None, 4096, 1.0)
    assert JobRequest.model_validate_json(request.model_dump_json()) == request


@pytest.mark.parametrize(
    ("task", "missing"), [(task, name) for task, fields in VALID.items() for name in fields]
)
def test_a_task_without_one_of_its_fields_is_refused_by_name(task: str, missing: str) -> None:
    fields = {name: value for name, value in VALID[task].items() if name != missing}
    with pytest.raises(ValidationError, match=f"The task `{task}` needs the field `{missing}`"):
        JobRequest.model_validate({"task": task, **fields})


@pytest.mark.parametrize(
    ("task", "surplus"),
    [("text_to_image", {"image": IMAGE}), ("control", {"mask": IMAGE}), ("edit", {"target": "depth"})],
)
def test_a_field_that_the_task_does_not_take_is_refused(task: str, surplus: dict[str, str]) -> None:
    with pytest.raises(
        ValidationError, match=f"The task `{task}` does not take the field `{next(iter(surplus))}`"
    ):
        JobRequest.model_validate({"task": task, **VALID[task], **surplus})


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": "768"},
        {"size": "770x768"},
        {"size": "4096x4096"},
        {"n": 0},
        {"n": 13},
        {"seed": -1},
        {"seed": 2**63},
        {"guidance_scale": 0.5},
        {"temperature": -0.1},
        {"priority": "urgent"},
        {"start_by": "2026-01-01T00:00:00"},
        {"start_by": "1767225600"},
        {"start_by": "2026-01-02T00:00:00Z", "finish_by": "2026-01-01T00:00:00Z"},
        {"webhook": {"url": "ftp://example.org"}},
        {"webhook": {"url": "https://example.org", "events": ["job.done"]}},
        {"metadata": {"key": 5}},
        {"metadata": {str(number): "" for number in range(33)}},
        {"promt": "misspelt"},
        {"prompt": ""},
    ],
    ids=str,
)
def test_what_no_worker_could_do_is_refused_at_the_door(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        JobRequest.model_validate({**VALID["text_to_image"], **wrong})


@pytest.mark.parametrize(
    "image",
    [
        IMAGE,
        format_id(IdKind.JOB, UUID(int=5)),
        format_id(IdKind.CANDIDATE, UUID(int=5)),
        "https://example.org/a.png",
        "data:image/png;base64,iVBORw0KGgo=",
    ],
)
def test_an_image_is_an_id_a_url_or_a_data_url(image: str) -> None:
    assert JobRequest.model_validate({"task": "edit", "prompt": "x", "image": image}).image == image


@pytest.mark.parametrize(
    "image",
    [
        format_id(IdKind.PROJECT, UUID(int=5)),
        "file:///etc/passwd",
        "data:text/html;base64,AAAA",
        "https://example.org/" + "a" * 3000,
        "picture.png",
    ],
)
def test_any_other_image_source_is_refused(image: str) -> None:
    with pytest.raises(ValidationError):
        JobRequest.model_validate({"task": "edit", "prompt": "x", "image": image})


def test_every_event_is_a_webhook_type() -> None:
    assert set(get_args(JobEventType)) == {f"job.{event.value}" for event in JobEvent}


def test_every_task_has_a_queue() -> None:
    assert set(TASK_QUEUES) == set(Task)
    assert set(TASK_QUEUES.values()) == set(Queue)


def test_links_name_the_resource_itself() -> None:
    links = {"self": "/a", "events": "/b", "cancel": "/c", "retry": "/d", "replay": "/e"}
    assert JobLinks.model_validate(links).self == "/a"


def test_the_comma_of_a_data_url_stands_where_it_is_looked_for() -> None:
    """Fixed bug: with dozens of parameters the comma was not found; now at most three are allowed."""
    for parameters, taken in ((3, True), (4, False)):
        url = "data:image/png" + ";charset=utf-8" * parameters + ";base64,iVBORw0KGgo="
        if taken:
            assert check_image_source(url) == url
        else:
            with pytest.raises(ValueError, match="data URL"):
                check_image_source(url)


def test_every_bound_stands_in_the_json_schema_by_its_name() -> None:
    """Fixed bug: the schema of `seed` had `ge` and `lt` instead of minimum and exclusiveMaximum."""
    schema = json.dumps(JobRequest.model_json_schema())
    assert not re.findall(r'"(?:ge|gt|le|lt|max_length|min_length)":', schema)
