"""Answers to wrong media types, methods, paths, headers and names."""

import gzip
import json
import logging
from typing import Any

import pytest
from starlette.testclient import TestClient

from services.api.app import create_app
from services.api.problems.codes import ProblemCode
from services.api.settings import GatewayProcessSettings
from tests.support.gateway.clients import Project, assert_problem, encoded, png

BODY = json.dumps({"prompt": "a red circle"}).encode()
PAST, FUTURE = "2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z"


@pytest.mark.parametrize("media_type", [None, "application/x-www-form-urlencoded", "text/plain"])
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/images"])
def test_another_content_type_is_told_the_right_one(
    alice: Project, path: str, media_type: str | None
) -> None:
    """Fixed bug: the form that `curl -d` sends was answered with 422 because of a missing body."""
    headers = {} if media_type is None else {"Content-Type": media_type}
    document = assert_problem(
        alice.post(path, headers, content=BODY), ProblemCode.UNSUPPORTED_MEDIA_TYPE, "Content-Type"
    )
    assert "`Content-Type: application/json`" in document.detail


@pytest.mark.parametrize(
    ("headers", "param"), [({"Content-Encoding": "gzip"}, "Content-Encoding"), ({}, "body")]
)
def test_a_compressed_body_is_named_as_such(alice: Project, headers: dict[str, str], param: str) -> None:
    """Fixed bug: a compressed body was reported as malformed JSON."""
    sent = {"Content-Type": "application/json", **headers}
    answer = alice.post("/v1/jobs", sent, content=gzip.compress(BODY))
    assert "gzip" in assert_problem(answer, ProblemCode.UNSUPPORTED_MEDIA_TYPE, param).detail


def test_json_with_a_charset_is_json(alice: Project) -> None:
    sent = {"Content-Type": "Application/JSON; charset=UTF-8"}
    assert alice.post("/v1/jobs", sent, content=BODY).status_code == 202


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/jobs", "GET, HEAD, POST"),
        ("/v1/jobs/job_" + "0" * 26, "GET, HEAD, DELETE"),
        ("/v1/jobs/job_x/cancel", "POST"),
        ("/v1/images", "POST"),
        ("/healthz", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"),
    ],
)
def test_allow_lists_every_method_of_the_path(alice: Project, path: str, allowed: str) -> None:
    """Fixed bug: /v1/jobs was answered with `Allow: POST`, without GET."""
    for method in sorted({"DELETE", "PUT", "OPTIONS", "TRACE"} - set(allowed.split(", "))):
        answer = alice.client.request(method, path, headers=alice.authorization)
        assert_problem(answer, ProblemCode.METHOD_NOT_ALLOWED)
        assert answer.headers["allow"] == allowed


def test_head_works_wherever_get_does(alice: Project) -> None:
    """Fixed bug: HEAD was answered with 405."""
    job = alice.submit().headers["location"]
    image = alice.upload(png()).json()["url"]
    for path in ("/v1/jobs", job, image, "/v1/models", "/healthz", "/readyz", "/problems", "/docs"):
        got = alice.get(path)
        head = alice.client.head(path, headers=alice.authorization)
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers["content-type"] == got.headers["content-type"]


@pytest.mark.parametrize("path", ["/v1/jobs/", "/healthz/", "/v1/models//"])
def test_a_slash_too_many_is_a_404_and_no_redirect(alice: Project, path: str) -> None:
    """Fixed bug: the answer was a redirect (307) to an address built from the Host header."""
    answer = alice.client.get(
        path, headers=alice.authorization | {"Host": "evil.example"}, follow_redirects=False
    )
    document = assert_problem(answer, ProblemCode.NOT_FOUND, None)
    assert "slash" in document.detail
    assert "evil" not in answer.text


@pytest.mark.parametrize("name", ["Authorization", "Idempotency-Key", "Content-Type"])
def test_a_header_that_stands_twice_is_refused(alice: Project, name: str) -> None:
    """Fixed bug: one of the two headers was used."""
    headers = [(name, "a"), (name, "b"), *alice.authorization.items()]
    answer = alice.client.post("/v1/jobs", headers=headers, content=BODY)
    assert_problem(answer, ProblemCode.MALFORMED_REQUEST, name)


@pytest.mark.parametrize(
    ("query", "param", "words"),
    [
        ("statu=queued", "statu", "did you mean `status`?"),
        ("limit=1&limit=2", "limit", "may be given only once"),
        ("x=1", "x", "There is no query parameter `x`."),
    ],
)
def test_a_query_parameter_that_would_be_ignored_is_refused(
    alice: Project, query: str, param: str, words: str
) -> None:
    """Fixed bug: `?statu=queued` listed every job; now the error suggests `status`."""
    document = assert_problem(alice.get(f"/v1/jobs?{query}"), ProblemCode.INVALID_REQUEST, param)
    assert words in document.detail
    assert_problem(alice.post("/v1/jobs?dry_run=1", json={}), ProblemCode.INVALID_REQUEST, "dry_run")


def test_monitors_may_add_what_they_like_to_open_paths(client: TestClient) -> None:
    assert client.get("/healthz?time=5").status_code == 200


def test_a_repeated_filter_is_a_list(alice: Project) -> None:
    assert alice.get("/v1/jobs?status=queued&status=failed&task=edit").status_code == 200


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("/v1/jobs/job_" + "0" * 26, "job_id"),
        ("/v1/jobs/nonsense", "job_id"),
        ("/v1/images/img_" + "0" * 26, "image_id"),
        ("/v1/jobs?after=nonsense", "after"),
        ("/v1/jobs?limit=0", "limit"),
        ("/v1/jobs?status=quueued", "status.0"),
    ],
)
def test_errors_names_what_is_wrong_in_an_address(alice: Project, path: str, param: str) -> None:
    """Fixed bug: `errors` was empty for unknown ids."""
    answer = alice.get(path)
    error = answer.json()["error"]
    assert_problem(answer, ProblemCode(error["code"]), param)


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"task": "edit", "image": "img_" + "0" * 26}, ProblemCode.INVALID_REQUEST, "image"),
        ({"task": "edit", "image": "data:image/png;base64,QQ"}, ProblemCode.IMAGE_UNREADABLE, "image"),
        ({"task": "edit", "image": "http://127.0.0.1:99999/"}, ProblemCode.IMAGE_URL_FORBIDDEN, "image"),
        ({"task": "edit", "image": "HTTP://127.0.0.1/"}, ProblemCode.IMAGE_URL_FORBIDDEN, "image"),
        ({"start_by": PAST}, ProblemCode.INVALID_REQUEST, "start_by"),
        ({"finish_by": PAST}, ProblemCode.INVALID_REQUEST, "finish_by"),
        ({"start_by": PAST, "finish_by": FUTURE}, ProblemCode.INVALID_REQUEST, "start_by"),
    ],
)
def test_errors_names_what_is_wrong_in_a_job(
    alice: Project, fields: dict[str, Any], code: ProblemCode, param: str
) -> None:
    """Fixed bug: `errors` was empty, a port of 99999 gave 500, and a deadline in the past was accepted."""
    assert_problem(alice.submit(**fields), code, param)
    assert alice.submit(start_by=FUTURE).status_code == 202


def test_errors_names_a_form_field(alice: Project) -> None:
    answer = alice.post("/v1/images", files={"fil": ("a.png", png())})
    document = assert_problem(answer, ProblemCode.INVALID_REQUEST, "file")
    assert document.errors[1].message == "There is no field `fil`; did you mean `file`?"
    both = alice.post("/v1/images", files={"file": ("a.png", png())}, data={"size": "5"})
    assert_problem(both, ProblemCode.INVALID_REQUEST, "size")


def test_a_data_url_in_capitals_is_one(alice: Project) -> None:
    url = "DATA:IMAGE/PNG;BASE64,iVBORw0KGgo="
    assert_problem(alice.post("/v1/images", json={"image": url}), ProblemCode.IMAGE_UNREADABLE, "image")


def test_a_repetition_that_waits_is_told_as_one(alice: Project) -> None:
    """Fixed bug: with `Prefer: wait`, `Idempotent-Replayed` was missing."""
    headers = {"Idempotency-Key": "one", "Prefer": "wait=0"}
    first, second = alice.submit(headers), alice.submit(headers)
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert first.json()["id"] == second.json()["id"]


def test_private_json_is_not_stored_and_pictures_are(alice: Project) -> None:
    """Fixed bug: JSON responses had no `Cache-Control: no-store`."""
    job = alice.submit()
    image = alice.upload(encoded("JPEG")).json()
    refused = alice.get("/v1/nothing")
    for answer in (job, refused, alice.get("/v1/jobs"), alice.get(job.headers["location"])):
        assert answer.headers["cache-control"] == "no-store"
    content = alice.get(image["url"])
    assert content.headers["cache-control"].startswith("private, max-age")
    assert content.headers["content-disposition"] == f'inline; filename="{image["id"]}.jpg"'


def test_the_reference_loads_nothing_from_elsewhere(client: TestClient) -> None:
    """Fixed bug: the reference loaded scripts from a CDN."""
    page = client.get("/docs")
    assert "//" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js"):
        assert f"/docs/{name}" in page.text
        answer = client.get(f"/docs/{name}")
        assert (answer.status_code, answer.headers["x-content-type-options"]) == (200, "nosniff")
    assert_problem(client.get("/docs/other.js"), ProblemCode.NOT_FOUND, None)
    assert_problem(client.get("/redoc"), ProblemCode.NOT_FOUND, None)


def test_the_place_in_the_queue_counts_the_own_project_alone(alice: Project, bob: Project) -> None:
    """Fixed bug: jobs of other projects were counted in the position."""
    for _ in range(3):
        alice.submit()
    assert bob.submit().json()["queue_position"] == 0
    assert alice.submit().json()["queue_position"] == 3


def test_every_fault_of_ours_is_logged_once(
    gateway_settings: GatewayProcessSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """Fixed bug: internal errors were logged twice, by the gateway and by uvicorn."""
    app = create_app(gateway_settings)

    @app.get("/fault")
    async def fail() -> None:
        raise RuntimeError("secret")

    caplog.set_level(logging.WARNING)
    with TestClient(app) as client:
        assert client.get("/fault").status_code == 500
    assert [record.message for record in caplog.records] == ["request failed"]


def test_maps_of_other_names_are_shown_under_ours(alice: Project) -> None:
    """Fixed bug: the same map was called `canny` in `control` and `edges` in `target`."""
    image = alice.upload(png()).json()["id"]
    job = alice.submit(task="control", control="canny", image=image)
    assert job.json()["request"]["control"] == "edges"
