"""Isolation: nothing of another project is shown, changed or used, on whatever path it is named."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.tables import Job, SessionRow
from tests.support.gateway.agents import MODERN, Tasks, cancel_task, get_task, over_http, run, update_task
from tests.support.gateway.belongings import LABEL, MARK, Belongings, belongings_of, drawn_turn
from tests.support.gateway.clients import Project
from tests.support.gateway.openai import Painter
from tests.support.gateway.served import served
from tests.support.gateway.sessions import Json, create

PARAMETER = re.compile(r"\{(\w+)\}")
UNNAMED = re.compile(r"^/(problems|health|ready)")
"""Paths that have nothing of any project."""
BODIES: dict[str, Json] = {
    "patch /v1/sessions/{session_id}": {"title": "mine"},
    "patch /v1/sessions/{session_id}/turns/{turn_id}": {"name": "mine"},
    "post /v1/sessions/{session_id}/turns": {"prompt": "add a tree"},
    "put /v1/sessions/{session_id}/head": {"candidate": "{candidate_id}"},
    "post /openai/v1/conversations/{conversation_id}": {"metadata": {"mine": "1"}},
}
"""Bodies of operations whose description has no example."""
IMAGES = "/openai/v1/images/edits"
CHAT = "/openai/v1/chat/completions"
RESPONSES = "/openai/v1/responses"
CONVERSATIONS = "/openai/v1/conversations"
DRAWING: Json = {"tools": [{"type": "image_generation"}]}
KEPT = {"prompt": "x", "variation_strength": 0.5}
RECTANGLE = {"x": 0, "y": 0, "width": 8, "height": 8}
LINK = "http://testserver/openai/v1/pictures/{file_name}"
CONTENT = "http://testserver/v1/images/{image_id}/content"
NAMED: list[tuple[str, Json]] = [
    *[("/v1/jobs", {"prompt": "x", "image": one}) for one in ("{image_id}", "{candidate_id}", "{job_id}")],
    ("/v1/jobs", {"task": "dense", "target": "depth", "image": "{image_id}"}),
    ("/v1/jobs", {"prompt": "x", "image": "{own_image_id}", "mask": "{image_id}"}),
    *[("/v1/jobs", {**KEPT, "keep_from": one}) for one in ("{image_id}", "{candidate_id}")],
    ("/v1/jobs", {"prompt": "x", "region_from": [{"image": "{image_id}", **RECTANGLE}]}),
    *[
        ("/v1/sessions", {"prompt": "x", "image": one})
        for one in ("{image_id}", "{candidate_id}", "{job_id}")
    ],
    ("/v1/sessions", {"prompt": "x", "image": "{own_image_id}", "mask": "{image_id}"}),
    ("/v1/sessions", {**KEPT, "keep_from": "{image_id}"}),
    ("/v1/sessions/{own_session_id}/turns", {"prompt": "x", "from": "{candidate_id}"}),
    ("/v1/sessions/{own_session_id}/turns", {"prompt": "x", "from": "{turn_id}"}),
    ("/v1/sessions/{own_session_id}/turns", {"prompt": "x", "mask": "{image_id}"}),
    ("/v1/sessions/{own_session_id}/turns", {**KEPT, "keep_from": "{candidate_id}"}),
    ("/openai/v1/batches", {"input_file_id": "{lines_id}", "endpoint": "/v1/images/generations"}),
    *[(IMAGES, {"prompt": "x", "image": one}) for one in ("{file_id}", "{image_id}", LINK, CONTENT)],
    *[(IMAGES, {"prompt": "x", "images": [{"file_id": one}]}) for one in ("{file_id}", "{image_id}")],
    (IMAGES, {"prompt": "x", "image": "{own_image_id}", "mask": "{file_id}"}),
    *[
        (
            CHAT,
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": one}}]}]},
        )
        for one in (LINK, CONTENT, "{image_id}")
    ],
    (CHAT, {"messages": [{"role": "assistant", "content": "{image_id}"}, {"role": "user", "content": "x"}]}),
    (RESPONSES, {**DRAWING, "input": "x", "previous_response_id": "{response_id}"}),
    (RESPONSES, {**DRAWING, "input": "x", "conversation": "{conversation_id}"}),
    (RESPONSES, {**DRAWING, "input": "x", "conversation": {"id": "{conversation_id}"}}),
    *[
        (path, {**fields, items: [{"role": "user", "content": [{"type": "input_image", **part}]}]})
        for path, items, fields in ((RESPONSES, "input", DRAWING), (CONVERSATIONS, "items", {}))
        for part in ({"file_id": "{file_id}"}, {"image_url": LINK}, {"image_url": "{image_id}"})
    ],
    *[
        ("/sdapi/v1/img2img", {"prompt": "x", "init_images": [one]})
        for one in ("{image_id}", "{candidate_id}", "{job_id}", LINK)
    ],
    ("/sdapi/v1/img2img", {"prompt": "x", "init_images": ["{own_image_id}"], "mask": "{image_id}"}),
]
"""Bodies that name what belongs to another project; `own_` stands before what is the caller's."""
TAKES_IDS = re.compile(
    r"^(.*_id|id|image|images|init_images|mask|candidate|(.*_)?from|conversation|input|items|messages)$"
)
"""Names of fields that may name something stored."""
CHECKED_ELSEWHERE = {
    "post /v1/images": "takes URLs and data, no ids",
    "post /v1/provenance/check": "takes URLs and data, no ids; test_provenance.py",
    "post /v1/api_keys": "needs the scope admin",
}
TOOLS: dict[str, list[Json]] = {
    "create": [{"prompt": "x", "session_id": "{session_id}"}],
    "edit": [
        {"prompt": "x", "session_id": "{session_id}"},
        {"prompt": "x", "image": "{image_id}"},
        {"prompt": "x", "image": "{candidate_id}"},
        {"prompt": "x", "image": "{job_id}"},
        {"prompt": "x", "image": "{own_image_id}", "mask": "{image_id}"},
        {"prompt": "x", "session_id": "{own_session_id}", "from": "{candidate_id}"},
        {"prompt": "x", "session_id": "{own_session_id}", "image": "{image_id}"},
    ],
    "vary": [{"prompt": "x", "image": "{image_id}"}, {"prompt": "x", "image": "{candidate_id}"}],
    "extend": [{"prompt": "x", "image": "{image_id}", "right": 4}],
    "dense": [{"image": "{image_id}", "target": "depth"}, {"image": "{job_id}", "target": "depth"}],
    "session_tree": [{"session_id": "{session_id}"}],
    "job": [{"job_id": "{job_id}"}],
    "cancel": [{"job_id": "{job_id}"}],
}
"""Arguments of each tool that name what belongs to another project."""


@pytest.fixture
def hers(alice: Project, painter: Painter) -> Belongings:
    """The ids of alice's things."""
    return belongings_of(alice)


@pytest.fixture
def his(bob: Project, painter: Painter) -> dict[str, str]:
    """The ids of bob's things, with `own_` before the names."""
    session = create(bob, prompt="a boat")
    turn = drawn_turn(bob, session)
    return {"own_session_id": session["id"], "own_image_id": turn["candidates"][0]["image_id"]}


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Method, path and description of each operation that has something of projects."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if not UNNAMED.match(path):
                yield method, path, operation


def example_of(operation: Json) -> Any:
    """An example of the operation's JSON body; None if it has none."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    examples = list(content.get("examples", {}).values())
    return examples[0]["value"] if examples else None


def filled(given: Any, ids: dict[str, str]) -> Any:
    """A text, or all texts of a body, with ids in place of their names."""
    match given:
        case str():
            return PARAMETER.sub(lambda found: ids[found[1]], given)
        case dict():
            return {name: filled(value, ids) for name, value in given.items()}
        case list():
            return [filled(value, ids) for value in given]
        case _:
            return given


def test_every_route_with_an_id_answers_404_to_another_project(
    alice: Project, bob: Project, hers: Belongings
) -> None:
    statuses: dict[str, int] = {}
    for method, path, operation in operations(alice.client.get("/openapi.json").json()):
        if not PARAMETER.search(path) or path == "/openai/v1/models/{model}":
            continue
        name = f"{method} {path}"
        body = filled(BODIES.get(name) or example_of(operation), hers.ids)
        more = {} if body is None else {"json": body}
        answer = bob.client.request(method, filled(path, hers.ids), headers=bob.authorization, **more)
        statuses[name] = answer.status_code
        assert MARK not in answer.text, name
    administration = {name for name in statuses if "/v1/projects/" in name or "/v1/api_keys/" in name}
    assert {name: status for name, status in statuses.items() if status not in {404, 403}} == {}
    assert {name for name, status in statuses.items() if status == 403} <= administration
    assert len(statuses) > 50
    assert alice.get(f"/v1/sessions/{hers.ids['session_id']}").status_code == 200


def test_what_stands_below_ones_own_is_ones_own(bob: Project, hers: Belongings, his: dict[str, str]) -> None:
    """A path with two ids, of which the first is the caller's."""
    hook = bob.post("/v1/webhook_endpoints", json={"url": "https://example.org/b"}).json()["id"]
    session = f"/v1/sessions/{his['own_session_id']}"
    deliveries = f"/v1/webhook_endpoints/{hook}/deliveries/{hers.ids['delivery_id']}"
    head = {"candidate": hers.ids["candidate_id"]}
    for method, path, body in (
        ("GET", f"{session}/turns/{hers.ids['turn_id']}", None),
        ("PATCH", f"{session}/turns/{hers.ids['turn_id']}", {"name": "mine"}),
        ("DELETE", f"{session}/turns/{hers.ids['turn_id']}", None),
        ("PUT", f"{session}/stars/{hers.ids['candidate_id']}", None),
        ("DELETE", f"{session}/stars/{hers.ids['candidate_id']}", None),
        ("PUT", f"{session}/head", head),
        ("GET", deliveries, None),
        ("POST", f"{deliveries}/redeliver", None),
    ):
        answer = bob.client.request(method, path, headers=bob.authorization, json=body)
        expected = 422 if body is head else 404
        assert answer.status_code == expected, (method, path, answer.text)


def test_no_list_shows_anything_of_another_project(alice: Project, bob: Project, hers: Belongings) -> None:
    """Also not if it is asked for what comes after another project's item, or searched for its words."""
    queries = [
        {},
        {"q": "lighthouse"},
        {"project_id": hers.ids["project_id"]},
        {"job_id": hers.ids["job_id"]},
        {"group_by": "project,api_key"},
    ]
    queries += [{"after": one} for one in hers.ids.values()]
    seen: set[str] = set()
    for method, path, operation in operations(alice.client.get("/openapi.json").json()):
        if method != "get" or PARAMETER.search(path) or path == "/v1/events":
            continue
        seen.add(path)
        taken = {parameter["name"] for parameter in operation.get("parameters", [])}
        for query in queries:
            if query.keys() <= taken:
                answer = bob.get(path, params=query)
                given = set(query.values())
                assert set(hers.are_named_in(answer.text)) <= given, (path, query, answer.text)
    assert {"/v1/jobs", "/v1/usage", "/openai/v1/files", "/openai/v1/batches", "/sdapi/v1/progress"} <= seen
    assert alice.get("/v1/sessions", params={"q": "lighthouse"}).json()["data"] != []
    assert hers.ids["project_id"] in alice.get("/v1/usage", params={"group_by": "project"}).text


def test_ids_of_another_project_are_unknown_in_every_body(
    bob: Project, hers: Belongings, his: dict[str, str], database: Database
) -> None:
    def kept() -> list[set[Any]]:
        with database.transaction() as session:
            return [
                set(session.scalars(select(table.id).where(table.project_id == bob.project_id)))
                for table in (Job, SessionRow)
            ]

    before = kept()
    for path, body in NAMED:
        place = filled(path, his)
        answer = bob.post(place, json=filled(body, hers.ids | his))
        assert answer.status_code in {400, 404, 422}, (path, body, answer.status_code, answer.text)
        assert MARK not in answer.text, (path, body, answer.text)
    assert kept() == before


def test_every_body_that_takes_an_id_is_among_them(alice: Project) -> None:
    document = alice.client.get("/openapi.json").json()
    checked = {f"post {re.sub('own_', '', path)}" for path, _ in NAMED} | CHECKED_ELSEWHERE.keys()
    checked |= BODIES.keys()
    taking: set[str] = set()
    for method, path, operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schema = content.get("schema", {})
            if "$ref" in schema:
                schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
            if any(TAKES_IDS.search(field) for field in schema.get("properties", {})):
                taking.add(f"{method} {path}")
    assert taking <= checked
    assert len(taking) > 8


def test_interrupting_stops_no_job_of_another_project(alice: Project, bob: Project) -> None:
    body = {"prompt": MARK, "metadata": LABEL | {"a1111_user": ""}}
    job = alice.post("/v1/jobs", json=body).json()
    assert bob.get("/sdapi/v1/progress").json()["state"]["job_count"] == 0
    assert bob.post("/sdapi/v1/interrupt", json={}).status_code == 200
    assert alice.get(f"/v1/jobs/{job['id']}").json()["status"] == "queued"


def test_tools_and_tasks_know_nothing_of_another_project(
    gateway_settings: GatewayProcessSettings, bob: Project, hers: Belongings, his: dict[str, str]
) -> None:
    async def story(url: str) -> None:
        async with over_http(url, bob.token) as client:
            assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS.keys()
            for tool, calls in TOOLS.items():
                for arguments in calls:
                    result = await client.call_tool(tool, filled(arguments, hers.ids | his))
                    assert result.is_error, (tool, arguments, result)
                    assert MARK not in str(result), (tool, arguments)
            with pytest.raises(Exception, match=r"no resource|There is no"):
                await client.read_resource(f"luminary://images/{hers.ids['image_id']}")
        async with over_http(url, bob.token, MODERN, [Tasks()]) as client:
            for ask in (get_task, cancel_task, update_task):
                with pytest.raises(Exception, match="There is no task"):
                    await ask(client.session, hers.ids["job_id"])

    with served(gateway_settings) as place:
        run(lambda: story(f"http://127.0.0.1:{place.port}"))
