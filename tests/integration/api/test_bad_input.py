"""Random input never causes a status of 500 or more, and every error response has a known problem code."""

import json
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.api.problems.codes import ProblemCode
from shared.schemas.jobs import JobRequest
from tests.support.gateway.clients import Project, assert_problem

pytestmark = [
    pytest.mark.filterwarnings("ignore:Generating overly large repr"),
    # threads of the gateway use `random` while values are drawn
    pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning"),
]

ODD_TEXTS = st.sampled_from(
    [
        "\0",
        "\ud800",
        "768x768",
        "７６８x７６８",
        "img_" + "0" * 26,
        "data:image/png;base64,iVBORw0KGgo=",
        "data:image/png;base64,=\0",
        "http://\0",
        "http://[::1",
        "http://a..b/",
        "https://xn--/",
        "http://" + "a" * 70 + ".example/",
        "http://127.0.0.1:99999/",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00+23:59",
        "2030-01-01T00:00:00Z",
        "edit",
        "dense",
        "depth",
        "canny",
        "normal",
    ]
)
ODD_NUMBERS = st.sampled_from(
    [0, -1, 2**31, 2**63 - 1, 2**63, 10**400, -0.0, 1e308, float("nan"), float("inf"), True]
)
SCALARS = st.none() | st.text(max_size=20) | ODD_TEXTS | st.integers() | st.floats() | ODD_NUMBERS
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10) | ODD_TEXTS, inner, max_size=3)
    ),
    max_leaves=8,
)
WEBHOOKS = st.fixed_dictionaries(
    {"url": SCALARS | st.just("https://example.org/\0")}, optional={"events": VALUES}
)
FIELDS = dict.fromkeys(set(JobRequest.model_fields) - {"prompt"}, VALUES) | {"webhook": WEBHOOKS | VALUES}
BODIES = st.fixed_dictionaries(
    {"prompt": st.just("a red circle") | VALUES}, optional=FIELDS | {"extra": VALUES}
)
EDITS = st.fixed_dictionaries(
    {"task": st.just("edit"), "prompt": st.just("make it blue"), "image": ODD_TEXTS},
    optional={"mask": ODD_TEXTS},
)
LABELLED = st.fixed_dictionaries(
    {"prompt": st.text(min_size=1, max_size=30)},
    optional={
        "metadata": st.dictionaries(st.text(max_size=10), st.text(max_size=20), max_size=3),
        "start_by": st.datetimes().map(lambda time: time.isoformat() + "+14:00") | ODD_TEXTS,
        "finish_by": st.datetimes().map(lambda time: time.isoformat() + "-12:00") | ODD_TEXTS,
        "model": st.text(max_size=20),
        "seed": st.integers(0, 2**63 - 1),
    },
)


def assert_refused(answer: httpx2.Response) -> None:
    """Check that the answer is a problem document with a status below 500 and a known code."""
    assert answer.status_code < 500, answer.text
    error = answer.json()["error"]
    assert_problem(answer, ProblemCode(error["code"]), error["param"])


careful = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@careful
@given(body=BODIES | EDITS | LABELLED | VALUES)
def test_no_job_request_makes_the_gateway_fail(alice: Project, body: Any) -> None:
    answer = alice.post("/v1/jobs", {"Content-Type": "application/json"}, content=json.dumps(body))
    if answer.status_code == 202:
        assert alice.get(answer.headers["location"]).status_code == 200
    else:
        assert_refused(answer)


@careful
@given(body=st.binary(max_size=60) | VALUES.map(lambda value: json.dumps({"image": value}).encode()))
def test_no_upload_makes_the_gateway_fail(alice: Project, body: bytes) -> None:
    assert_refused(alice.post("/v1/images", {"Content-Type": "application/json"}, content=body))


@careful
@given(
    text=st.text(st.characters(codec="utf-8"), max_size=40)
    | ODD_TEXTS.filter(lambda text: "\ud800" not in text)
)
def test_no_path_or_query_makes_the_gateway_fail(alice: Project, text: str) -> None:
    assert_refused(alice.get("/v1/jobs", params={"after": text, "status": text, "limit": text}))
    assert_refused(alice.get(f"/v1/images/{quote(text, safe='')}x"))


@pytest.mark.parametrize(
    "header", ["Idempotency-Key", "Prefer", "If-None-Match", "Authorization", "X-Request-Id"]
)
@pytest.mark.parametrize(
    "value", [b"\xff", b"\t", b'"', b"wait=99999999999999999999", b"," * 500, b"Bearer \xff"]
)
def test_no_header_makes_the_gateway_fail(alice: Project, header: str, value: bytes) -> None:
    headers = [(b"Authorization", alice.authorization["Authorization"].encode()), (header.encode(), value)]
    assert_refused(alice.client.get("/v1/jobs/job_" + "0" * 26, headers=headers))
    posted = alice.client.post("/v1/jobs", headers=headers, json={"prompt": "x"})
    if posted.status_code not in {200, 202}:
        assert_refused(posted)
