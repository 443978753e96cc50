"""Agents: the official client of the Model Context Protocol, with a gateway on its own port."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import BlobResourceContents, CallToolResult, ResourceLink
from sqlalchemy import select

from services.api.problems.codes import ProblemCode
from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.ids import IdKind, format_id
from shared.job_errors import JobError, JobErrorCode
from shared.job_store import Progress, fail_job, save_progress
from shared.jobs import Phase
from shared.storage import ObjectStorage
from shared.tables import AuditEntry, UsageRecord
from tests.support.claimed_jobs import in_thread
from tests.support.factories import make_project
from tests.support.gateway import agents
from tests.support.gateway.agents import LEGACY, MODERN, facts, over_http, over_stdio, pictures, run, text
from tests.support.gateway.clients import png
from tests.support.gateway.drawing import claim_soon, draw_next
from tests.support.gateway.running import make_key
from tests.support.gateway.served import Served, served
from tests.support.gateway.usage import key_id_of

TOOLS = ["create", "edit", "vary", "extend", "dense", "session_tree", "job", "cancel"]
INVALID_PARAMS, MISSING_CAPABILITY, NO_RESOURCE = -32602, -32021, -32002


@pytest.fixture
def place(gateway_settings: GatewayProcessSettings) -> Iterator[Served]:
    """A gateway on its own port."""
    with served(gateway_settings) as place:
        yield place


@pytest.fixture
def url(place: Served) -> str:
    return f"http://127.0.0.1:{place.port}"


@pytest.fixture
def storage(gateway_settings: GatewayProcessSettings) -> ObjectStorage:
    """A client of the gateway's bucket prefix."""
    return ObjectStorage(gateway_settings.storage)


@pytest.fixture
def key(database: Database, project_id: UUID) -> str:
    return make_key(database, project_id)


async def call(client: Client, tool: str, **arguments: Any) -> CallToolResult:
    return await client.call_tool(tool, arguments)


def test_an_agent_draws_edits_and_reads_the_tree(
    url: str, key: str, database: Database, storage: ObjectStorage
) -> None:
    """In the protocol of 2025, with its handshake; the other tests speak that of 2026."""

    async def story() -> None:
        async with over_http(url, key, LEGACY) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == TOOLS
            worker = in_thread(lambda: draw_next(database, storage))
            first = await call(client, "create", prompt="a red house", seed=7, title="House")
            drawn = facts(first)
            assert worker.result().request["prompt"] == "a red house"
            assert (drawn["status"], drawn["seed"]) == ("succeeded", 7)
            assert base64.b64decode(pictures(first)[0].data) == png(64, 64, (200, 0, 60))
            assert f"call edit with session_id {drawn['session_id']}" in text(first)

            [link] = [part for part in first.content if isinstance(part, ResourceLink)]
            [content] = (await client.read_resource(link.uri)).contents
            assert isinstance(content, BlobResourceContents)
            assert base64.b64decode(content.blob) == png(64, 64, (200, 0, 60))

            worker = in_thread(lambda: draw_next(database, storage))
            place = {"session_id": drawn["session_id"], "from": drawn["pictures"][0]["candidate_id"]}
            second = await call(client, "edit", prompt="make it blue", n=2, **place)
            assert worker.result().request["task"] == "edit"
            assert len(pictures(second)) == 2
            tree = await call(client, "session_tree", session_id=drawn["session_id"])
            assert [turn["prompt"] for turn in facts(tree)["turns"]] == ["a red house", "make it blue"]
            assert "\n  2. make it blue: " in text(tree)

    run(story)
    with database.transaction() as session:
        keys = list(session.scalars(select(UsageRecord.api_key_id)))
    assert [key_id and format_id(IdKind.API_KEY, key_id) for key_id in keys] == [key_id_of(database, key)] * 2


def test_progress_is_reported_and_a_job_that_takes_long_is_handed_out(
    url: str, key: str, database: Database, storage: ObjectStorage
) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def story() -> None:
        async def hear(progress: float, total: float | None, message: str | None) -> None:
            told.append((progress, total, message))

        async with over_http(url, key) as client:
            late = await call(client, "create", prompt="a house", wait_seconds=0)
            assert facts(late)["status"] == "queued"
            assert "call job with job_id" in text(late)
            claimed = claim_soon(database)
            with database.transaction() as session:
                save_progress(session, claimed.lease, Progress(Phase.GENERATING, 16, 64))
            waiting = {"job_id": facts(late)["job_id"], "wait_seconds": 1}
            again = await client.call_tool("job", waiting, progress_callback=hear)
            assert (facts(again)["status"], facts(again)["tokens_done"]) == ("running", 16)
            cancelled = await call(client, "cancel", job_id=facts(late)["job_id"])
            assert facts(cancelled)["status"] == "canceling"

    run(story)
    assert told == [(16.0, 64.0, "generating: 16 of 64 codes")]


def test_a_client_with_tasks_gets_the_job_as_a_task(
    url: str, key: str, database: Database, storage: ObjectStorage
) -> None:
    extension = agents.Tasks()

    async def story() -> None:
        async with over_http(url, key, MODERN, [extension]) as client:
            worker = in_thread(lambda: draw_next(database, storage))
            result = await call(client, "create", prompt="a house")
            assert worker.result().request["prompt"] == "a house"
            assert facts(result)["status"] == "succeeded"
            assert len(pictures(result)) == 1
            last = extension.seen[-1]
            assert (last["taskId"], last["ttlMs"]) == (facts(result)["job_id"], None)

            handle: Any = await client.session.call_tool("create", {"prompt": "a boat"}, allow_claimed=True)
            assert (handle.status, handle.task_id[:4]) == ("working", "job_")
            await agents.cancel_task(client.session, handle.task_id)
            assert (await agents.get_task(client.session, handle.task_id))["status"] == "cancelled"
            handle = await client.session.call_tool("create", {"prompt": "a boat"}, allow_claimed=True)
            with database.transaction() as session:
                error = JobError(JobErrorCode.INVALID_REQUEST, "The prompt is too long.")
                fail_job(session, claim_soon(database).lease, error)
            task = await agents.get_task(client.session, handle.task_id)
            assert (task["status"], task["result"]["isError"]) == ("completed", True)
            assert "The prompt is too long." in task["result"]["content"][0]["text"]

    run(story)


def test_tasks_are_for_clients_that_declare_them_and_of_the_own_project(
    url: str, key: str, database: Database
) -> None:
    stranger = make_key(database, make_project(database, "stranger"))

    async def story() -> None:
        async with over_http(url, key) as client:
            job_id = facts(await call(client, "create", prompt="a house", wait_seconds=0))["job_id"]
            with pytest.raises(MCPError) as refused:
                await agents.get_task(client.session, job_id)
            assert refused.value.code == MISSING_CAPABILITY
        async with over_http(url, stranger, MODERN, [agents.Tasks()]) as client:
            for task in (job_id, "job_x", format_id(IdKind.JOB, UUID(int=1))):
                with pytest.raises(MCPError) as refused:
                    await agents.get_task(client.session, task)
                assert refused.value.code == INVALID_PARAMS
            with pytest.raises(MCPError):
                await agents.cancel_task(client.session, job_id)

    run(story)


def test_refusals_are_results_with_the_problem(
    url: str, key: str, database: Database, storage: ObjectStorage, project_id: UUID
) -> None:
    stranger = make_key(database, make_project(database, "stranger"))

    async def story() -> None:
        async with over_http(url, key) as client:
            worker = in_thread(lambda: draw_next(database, storage))
            drawn = facts(await call(client, "create", prompt="a house"))
            worker.result()
            picture = drawn["pictures"][0]
            wrong: list[tuple[str, dict[str, Any], str]] = [
                ("create", {"prompt": " "}, "prompt"),
                ("create", {"prompt": "x", "sise": "64x64"}, "sise"),
                ("edit", {"prompt": "x"}, "image"),
                ("edit", {"prompt": "x", "image": "img_x"}, "image"),
                ("extend", {"image": picture["image_id"], "right": 3}, "extend"),
                ("dense", {"image": picture["image_id"], "target": "smell"}, "target"),
            ]
            for tool, arguments, param in wrong:
                await refused(client, tool, arguments, ProblemCode.INVALID_REQUEST, param)
            with pytest.raises(MCPError) as unknown:
                await call(client, "paint", prompt="x")
            assert unknown.value.code == INVALID_PARAMS
            with pytest.raises(MCPError) as missing:
                await client.read_resource("luminary://images/img_x")
            assert missing.value.code == NO_RESOURCE
        async with over_http(url, stranger) as client:
            job, session = {"job_id": drawn["job_id"]}, {"session_id": drawn["session_id"]}
            await refused(client, "job", job, ProblemCode.NOT_FOUND, "job_id")
            await refused(client, "cancel", job, ProblemCode.NOT_FOUND, "job_id")
            await refused(client, "session_tree", session, ProblemCode.NOT_FOUND, "session_id")
            for tool, field in (("vary", "keep_from"), ("extend", "keep_from"), ("dense", "image")):
                arguments = {"image": picture["image_id"], **({"target": "depth"} if tool == "dense" else {})}
                more = {"prompt": "x"} if tool == "vary" else {}
                extended = {"prompt": "x", "right": 4} if tool == "extend" else {}
                given = arguments | more | extended
                await refused(client, tool, given, ProblemCode.INVALID_REQUEST, field)
            with pytest.raises(MCPError):
                await client.read_resource(picture["resource"])

    run(story)


async def refused(
    client: Client, tool: str, arguments: dict[str, Any], code: ProblemCode, param: str
) -> None:
    """Call a tool that must be refused with this problem."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.content
    document: Any = result.structured_content
    assert (document["error"]["code"], document["error"]["param"]) == (code, param), document
    assert document["detail"] in text(result)


@pytest.mark.parametrize("mode", [LEGACY, MODERN])
def test_a_key_uses_the_tools_that_its_scopes_allow_and_changes_are_recorded(
    url: str, key: str, database: Database, project_id: UUID, mode: str
) -> None:
    reader = make_key(database, project_id, name="reader", scopes=["read"])
    writer = make_key(database, project_id, name="writer", scopes=["write"])

    async def story() -> None:
        async with over_http(url, writer, mode) as client:
            job = {"job_id": facts(await call(client, "create", prompt="a house", wait_seconds=0))["job_id"]}
            await refused(client, "job", job, ProblemCode.INSUFFICIENT_SCOPE, "Authorization")
        async with over_http(url, reader, mode) as client:
            assert facts(await call(client, "job", **job))["status"] == "queued"
            for tool, arguments in (("create", {"prompt": "a house"}), ("cancel", job)):
                await refused(client, tool, arguments, ProblemCode.INSUFFICIENT_SCOPE, "Authorization")
        async with over_http(url, writer, mode) as client:
            assert facts(await call(client, "cancel", **job))["status"] == "canceled"
            assert facts(await call(client, "cancel", **job))["status"] == "canceled"
        with database.transaction() as session:
            [entry] = session.scalars(select(AuditEntry)).all()
            assert (entry.action, entry.target, entry.key_name) == ("job.canceled", job["job_id"], "writer")

    run(story)


def test_variations_extensions_and_maps_take_over_what_was_drawn(
    url: str, key: str, database: Database, storage: ObjectStorage
) -> None:
    async def story() -> None:
        async with over_http(url, key) as client:
            worker = in_thread(lambda: draw_next(database, storage))
            drawn = facts(await call(client, "create", prompt="a house", negative_prompt="people"))
            worker.result()
            image = drawn["pictures"][0]["image_id"]
            later = {"image": image, "wait_seconds": 0, "session_id": drawn["session_id"]}
            extended = facts(await call(client, "extend", right=4, **later))
            request = claim_soon(database).request
            assert (request["prompt"], request["negative_prompt"]) == ("a house", "people")
            assert (request["size"], request["keep_from"]) == ("96x64", image)
            assert extended["session_id"] == drawn["session_id"]
            await call(client, "dense", target="depth", **later)
            assert claim_soon(database).request["task"] == "dense"

    run(story)


def test_without_a_key_and_with_another_method_the_answers_are_problems(url: str, key: str) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    assert httpx2.post(f"{url}/mcp", json=body).status_code == 401
    headers = {"Authorization": f"Bearer {key}", "Accept": "application/json, text/event-stream"}
    for method in ("GET", "DELETE"):
        answer = httpx2.request(method, f"{url}/mcp", headers=headers)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        assert answer.json()["error"]["code"] == ProblemCode.METHOD_NOT_ALLOWED
    long = httpx2.post(f"{url}/mcp", headers=headers, content=b"x" * 3_000_000)
    assert (long.status_code, long.json()["error"]["code"]) == (413, ProblemCode.BODY_TOO_LARGE)
    for wrong in (b"", b"{", b"[1]", b'"x"', b"\xff", b'{"jsonrpc": "2.0"}'):
        answer = httpx2.post(
            f"{url}/mcp", headers={**headers, "Content-Type": "application/json"}, content=wrong
        )
        assert 400 <= answer.status_code < 500, (wrong, answer.text)
    assert 'method="POST",route="/mcp",status="4xx"' in httpx2.get(f"{url}/metrics").text


def test_a_desktop_agent_draws_and_edits_its_own_files_over_stdio(
    url: str, key: str, database: Database, storage: ObjectStorage, tmp_path: Path
) -> None:
    (tmp_path / "boat.png").write_bytes(png(64, 64))
    (tmp_path / "notes.txt").write_text("secret")

    async def story() -> None:
        async with over_stdio(url, key, tmp_path) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == TOOLS
            worker = in_thread(lambda: draw_next(database, storage))
            boat = str(tmp_path / "boat.png")
            edited = await call(client, "edit", prompt="make it blue", image=boat)
            assert worker.result().request["image"].startswith("img_")
            assert len(pictures(edited)) == 1
            for name, words in (("notes.txt", "is not a PNG"), ("none.png", "cannot be read")):
                wrong = await call(client, "edit", prompt="x", image=str(tmp_path / name))
                assert wrong.is_error
                assert words in text(wrong)
            missing = await call(client, "job", job_id=format_id(IdKind.JOB, UUID(int=1)))
            assert missing.is_error

    run(story)
    assert "secret" not in json.dumps((tmp_path / "stderr.txt").read_text())
