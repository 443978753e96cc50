"""A project that has one of everything, for tests in which another project looks for it."""

from dataclasses import dataclass
from typing import Any

from shared.ids import IdKind, format_id
from tests.support.gateway.clients import Project, png
from tests.support.gateway.sessions import create, tree
from tests.support.platforms.platform import eventually

MARK = "lighthouse of the owner"
"""Words that stand in every text of the owner, and in no other."""
LABEL = {"owner": MARK}
TOOL = {"type": "image_generation"}


@dataclass(frozen=True)
class Belongings:
    """Ids by the name that paths give them, and other words that nobody else may read."""

    ids: dict[str, str]

    def are_named_in(self, text: str) -> list[str]:
        """What of the owner's the text names."""
        return [word for word in (MARK, *self.ids.values()) if word in text]


def belongings_of(owner: Project) -> Belongings:
    """Let the owner draw, upload and order one of everything. A painter must draw meanwhile."""
    session = create(owner, title=MARK, prompt=MARK, metadata=LABEL)
    turn = drawn_turn(owner, session)
    hook = made(owner, "/v1/webhook_endpoints", {"url": "https://example.org/a", "name": MARK})["id"]
    response = made(owner, "/openai/v1/responses", {"input": MARK, "tools": [TOOL], "metadata": LABEL})
    conversation = made(owner, "/openai/v1/conversations", {"metadata": LABEL})
    file = uploaded(owner, "vision", f"{MARK}.png", png())
    line = b'{"custom_id": "a", "method": "POST", "url": "/v1/images/generations", "body": {"prompt": "x"}}'
    lines = uploaded(owner, "batch", f"{MARK}.jsonl", line)
    order = {"input_file_id": lines, "endpoint": "/v1/images/generations", "completion_window": "24h"}
    picture = turn["candidates"][0]["image_id"]
    ids = {
        "job_id": turn["job_id"],
        "image_id": picture,
        "session_id": session["id"],
        "turn_id": turn["id"],
        "candidate_id": turn["candidates"][0]["id"],
        "endpoint_id": hook,
        "delivery_id": owner.post(f"/v1/webhook_endpoints/{hook}/test").json()["id"],
        "project_id": format_id(IdKind.PROJECT, owner.project_id),
        "key_id": format_id(IdKind.API_KEY, owner.project_id),
        "file_name": f"{picture}.png",
        "file_id": file,
        "lines_id": lines,
        "response_id": response["id"],
        "conversation_id": conversation["id"],
        "batch_id": made(owner, "/openai/v1/batches", {**order, "metadata": LABEL})["id"],
    }
    return Belongings(ids)


def made(owner: Project, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """POST a body, which must be accepted."""
    answer = owner.post(path, json=body)
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()


def uploaded(owner: Project, purpose: str, name: str, data: bytes) -> str:
    """Upload a file of OpenAI's clients; its id."""
    answer = owner.post("/openai/v1/files", data={"purpose": purpose}, files={"file": (name, data)})
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def drawn_turn(owner: Project, session: dict[str, Any]) -> dict[str, Any]:
    """The first turn of a session, when it is drawn."""

    def look() -> dict[str, Any] | None:
        turn = tree(owner, session)["turns"][0]
        return turn if turn["candidates"] else None

    return eventually(look, "the first turn is drawn")
