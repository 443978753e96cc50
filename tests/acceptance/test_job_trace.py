"""One trace for each job: through every service, past a killed worker, to the webhook of its end."""

import base64
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest

from shared.ids import IdKind, parse_id
from shared.jobs import JobState
from tests.support.gateway.running import make_key
from tests.support.platforms.installation import Installation
from tests.support.platforms.platform import PlatformUnderTest, eventually, noise
from tests.support.servers.receiver import receiving
from tests.support.servers.span_collector import CollectedSpan, SpanCollector

SERVICES = {"luminary-gateway", "luminary-worker", "luminary-io-worker", "luminary-tokenizer"}
PROMPT = "make the circle blue"


def lines_of(log: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.splitlines() if line.startswith("{") and line.endswith("}")]


def tree(spans: Sequence[CollectedSpan]) -> str:
    """The trace as text, each span below its parent."""
    first = min(span.started for span in spans)

    def below(parent: str | None, depth: int) -> Iterator[str]:
        for span in spans:
            if span.parent == parent:
                start, seconds = (span.started - first) / 1e9, (span.ended - span.started) / 1e9
                failed = " FAILED" if span.failed else ""
                yield f"{'  ' * depth}{span.name} [{span.service}] at {start:.3f} s, {seconds:.3f} s{failed}"
                yield from below(span.id, depth + 1)

    return "\n".join(below(None, 0))


@pytest.fixture
def client(installation: Installation, platform: PlatformUnderTest) -> Iterator[httpx2.Client]:
    """A client of the gateway with the project's key."""
    headers = {"Authorization": f"Bearer {make_key(platform.database, platform.project_id)}"}
    with httpx2.Client(base_url=installation.gateway_url, headers=headers, timeout=10.0) as client:
        yield client


def test_a_job_whose_worker_is_killed_is_one_tree_with_every_service_in_it(
    installation: Installation, platform: PlatformUnderTest, client: httpx2.Client, spans: SpanCollector
) -> None:
    with io.BytesIO() as buffer:
        noise(1, 192, 192).save(buffer, format="PNG")
        picture = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    with receiving() as receiver:
        body = {
            "task": "edit",
            "prompt": PROMPT,
            "image": picture,
            "size": "192x192",
            "seed": 3,
            "webhook": {"url": receiver.url, "events": ["job.succeeded"]},
        }
        answer = client.post("/v1/jobs", json=body)
        assert answer.status_code == 202, answer.text
        job_id = parse_id(IdKind.JOB, answer.json()["id"])
        platform.started_drawing(job_id)
        installation.worker.kill()
        installation.worker.start()
        assert platform.finished(job_id).state == JobState.SUCCEEDED
        eventually(receiver.arrived, "the webhook")
    job = platform.job(job_id)
    assert job.traceparent is not None
    assert (job.attempt, job.interruptions) == (2, 1)
    trace_id = job.traceparent.split("-")[1]

    def whole() -> list[CollectedSpan]:
        found = spans.spans(trace_id)
        return found if {"job edit", "POST webhook", "attempt 2"} <= {span.name for span in found} else []

    found = eventually(whole, "the end of the trace")
    print(f"{spans.file}\n{tree(found)}")
    by_id = {span.id: span for span in found}
    assert len(by_id) == len(found)
    [root] = [span for span in found if span.parent not in by_id]
    assert (root.name, root.parent) == ("POST /v1/jobs", None)
    assert {span.service for span in found} == SERVICES

    by_name = {span.name: span for span in found}
    whole_job, lost, second = (by_name[name] for name in ("job edit", "attempt 1", "attempt 2"))
    assert {lost.parent, second.parent, by_name["POST webhook"].parent} == {whole_job.id}
    assert (lost.failed, lost.attributes["error.type"]) == (True, "worker_lost")
    assert lost.service == "luminary-io-worker"
    assert second.links == [lost.id]
    assert not second.failed
    assert whole_job.started <= lost.started < lost.ended <= second.started < second.ended <= whole_job.ended

    drawn = next(span for span in found if span.name.startswith("generate_content"))
    assert drawn.parent == second.id
    assert drawn.attributes["gen_ai.output.type"] == "image"
    assert drawn.attributes["luminary.tokens.resumed"] > 0
    encode, decode = by_name["POST /v1/encode"], by_name["POST /v1/decode"]
    assert (encode.service, decode.service, decode.parent) == ("luminary-tokenizer",) * 2 + (second.id,)
    assert by_name["S3 PutObject"].attributes["rpc.system"] == "aws-api"
    assert by_name["process edit"].parent == by_name["send edit"].parent == whole_job.id


def test_log_lines_name_the_trace_and_spans_hold_no_prompt_and_no_key(
    installation: Installation, platform: PlatformUnderTest, client: httpx2.Client, spans: SpanCollector
) -> None:
    key = client.headers["Authorization"].removeprefix("Bearer ")
    asked = {"prompt": "a secret prompt", "size": "64x64", "seed": 5}
    answer = client.post(f"/v1/jobs?api_key={key}", json=asked)
    if answer.status_code != 202:
        answer = client.post("/v1/jobs", json=asked)
    job_id = parse_id(IdKind.JOB, answer.json()["id"])
    job = platform.finished(job_id)
    assert job.traceparent is not None
    trace_id = job.traceparent.split("-")[1]
    eventually(
        lambda: [one for one in spans.spans(trace_id) if one.name.startswith("job ")], "the job's span"
    )

    [done] = [line for line in installation.worker.lines_about(job_id) if line["message"] == "job done"]
    assert (done["trace_id"], done["attempt"]) == (trace_id, 1)
    assert done["project_id"].startswith("prj_")
    written = Path(spans.file).read_text(encoding="utf-8")
    assert "secret prompt" not in written
    assert PROMPT not in written
    assert key not in written
