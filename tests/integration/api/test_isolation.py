"""Isolation: each route that takes an id answers 404 for what belongs to another project."""

import re
from collections.abc import Iterator
from typing import Any

from shared.ids import IdKind, format_id
from tests.support.gateway.clients import Project, png
from tests.support.gateway.sessions import Json

PARAMETER = re.compile(r"\{(\w+)\}")


BODIES: dict[str, Json] = {
    "patch /v1/sessions/{session_id}": {"title": "mine"},
    "patch /v1/sessions/{session_id}/turns/{turn_id}": {"name": "mine"},
    "post /v1/sessions/{session_id}/turns": {"prompt": "add a tree"},
}
"""Bodies of operations whose description has no example."""


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Method, path and description of each operation that takes an id of ours."""
    for path, methods in document["paths"].items():
        if PARAMETER.search(path) and path.startswith("/v1/"):
            for method, operation in methods.items():
                yield method, path, operation


def example_of(operation: Json) -> Any:
    """An example of the operation's JSON body; None if it has none."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    examples = list(content.get("examples", {}).values())
    return examples[0]["value"] if examples else None


def test_every_route_with_an_id_answers_404_to_another_project(
    alice: Project, bob: Project, drawn: Json
) -> None:
    hook = alice.post("/v1/webhook_endpoints", json={"url": "https://example.org/a"}).json()["id"]
    turn = drawn["turns"][0]
    ids = {
        "job_id": turn["job_id"],
        "image_id": alice.upload(png()).json()["id"],
        "session_id": drawn["id"],
        "turn_id": turn["id"],
        "candidate_id": turn["candidates"][0]["id"],
        "endpoint_id": hook,
        "delivery_id": alice.post(f"/v1/webhook_endpoints/{hook}/test").json()["id"],
        "project_id": format_id(IdKind.PROJECT, alice.project_id),
        "key_id": format_id(IdKind.API_KEY, alice.project_id),
    }
    bodies = {**BODIES, "put /v1/sessions/{session_id}/head": {"candidate": ids["candidate_id"]}}
    statuses: dict[str, int] = {}
    for method, path, operation in operations(alice.client.get("/openapi.json").json()):
        filled = PARAMETER.sub(lambda found: ids[found[1]], path)
        name = f"{method} {path}"
        body = bodies.get(name) or example_of(operation)
        more = {} if body is None else {"json": body}
        answer = bob.client.request(method.upper(), filled, headers=bob.authorization, **more)
        statuses[name] = answer.status_code
    administration = {name for name in statuses if "/v1/projects/" in name or "/v1/api_keys/" in name}
    assert {name: status for name, status in statuses.items() if status not in {404, 403}} == {}
    assert {name for name, status in statuses.items() if status == 403} <= administration
    assert len(statuses) > 30
    assert alice.get(f"/v1/sessions/{drawn['id']}").status_code == 200
