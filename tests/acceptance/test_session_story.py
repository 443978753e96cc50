"""A session over HTTP alone on the bundled model, while its worker is killed: every picture is right.

The scene world's own judge reads the pictures. A session of the same seeds that nobody disturbs has the same
tokens.
"""

import base64
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from infra.local.installation import migrate
from infra.local.stack import EmbeddedStack
from shared.security import generate_api_key
from shared.tables import ApiKey
from tests.support.platforms.installation import Installation
from tests.support.platforms.platform import eventually
from training.judging.verdicts import judge_edit
from training.scenes.chains import EditStep, sample_chain, sample_step
from training.scenes.edits import EditKind
from training.scenes.rendering import Picture, render

MODEL = Path(__file__).parents[2] / "models/tiny"
CELL = 8
Json = dict[str, Any]


@dataclass(frozen=True)
class Story:
    """A chain of two edits of one scene, and another second edit, which makes a branch."""

    first: EditStep
    second: EditStep
    branch: EditStep


@pytest.fixture(scope="module")
def story() -> Story:
    rng = np.random.default_rng(5)
    first, second = sample_chain(rng, 2, "train")
    while second.edit.kind is not EditKind.RECOLOUR:  # its mask is one object
        first, second = sample_chain(rng, 2, "train")
    branch = sample_step(rng, "train", kind=EditKind.BACKGROUND)
    while branch.edit.background is first.after.background:
        branch = sample_step(rng, "train", kind=EditKind.BACKGROUND)
    after = branch.edit.apply(first.after)
    return Story(first, second, EditStep(first.after, branch.instruction, branch.edit, after))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation with the bundled model."""
    folder = tmp_path_factory.mktemp("story")
    with EmbeddedStack(folder / "stack", environment={}, durable=False) as stack:
        assert stack.postgres is not None
        migrate(stack.postgres.owner_url())
        installation = Installation(folder / "logs", MODEL, stack)
        try:
            installation.start()
            yield installation
        finally:
            installation.stop()


class SessionClient:
    """One session over HTTP."""

    def __init__(self, client: httpx2.Client, picture: Picture) -> None:
        self._client = client
        self.session = self.sent("POST", "/v1/sessions", {"image": data_url(picture)})
        self.path = f"/v1/sessions/{self.session['id']}"

    def sent(self, method: str, path: str, body: Json | None = None) -> Json:
        answer = self._client.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def post(self, prompt: str, seed: int, **fields: Any) -> Json:
        return self.sent("POST", f"{self.path}/turns", {"prompt": prompt, "seed": seed, **fields})

    def done(self, turn: Json) -> Json:
        """The turn when it has ended; fails if it has no picture."""

        def look() -> Json | None:
            now = self.sent("GET", f"{self.path}/turns/{turn['id']}")
            assert now["status"] not in {"failed", "canceled", "expired"}, now["error"]
            return now if now["status"] == "succeeded" else None

        return eventually(look, f"the end of turn {turn['number']}")

    def drawing(self, turn: Json) -> bool:
        """Whether the turn is being drawn, or already done."""
        now = self.sent("GET", f"{self.path}/turns/{turn['id']}")
        return now["progress"]["tokens_done"] > 0 or now["status"] == "succeeded"

    def picture(self, turn: Json) -> Picture:
        """The pixels of the turn's first candidate."""
        answer = self._client.get(httpx2.URL(turn["candidates"][0]["url"]).path)
        return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"))

    def hashes(self) -> list[str]:
        """The token hashes of all turns, in their order."""
        turns = self.sent("GET", self.path)["turns"]
        jobs = [self.sent("GET", f"/v1/jobs/{turn['job_id']}") for turn in turns]
        return [job["outputs"][0]["tokens_sha256"] for job in jobs]


@pytest.fixture
def client(tiny: Installation, request: pytest.FixtureRequest) -> Iterator[httpx2.Client]:
    """A client with the key of a new project."""
    platform = tiny.world(request.node.name)
    key = generate_api_key()
    with platform.database.transaction() as session:
        session.add(ApiKey(project_id=platform.project_id, name="test", hint=key.hint, sha256=key.sha256))
    headers = {"Authorization": f"Bearer {key.token}"}
    with httpx2.Client(base_url=tiny.gateway_url, headers=headers, timeout=30.0) as client:
        yield client


def data_url(picture: Picture | Image.Image) -> str:
    buffer = io.BytesIO()
    opened = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    opened.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def changed_cells(step: EditStep) -> Image.Image:
    """A mask of the rectangle of cells that an edit changes."""
    before, after = render(step.before), render(step.after)
    rows, columns = np.nonzero((before != after).any(axis=2))
    mask = Image.new("L", (before.shape[1], before.shape[0]), 0)
    box = (columns.min(), rows.min(), columns.max(), rows.max())
    ImageDraw.Draw(mask).rectangle(tuple(int(side) for side in box), 255)
    return mask


def tell(
    story: Story, client: httpx2.Client, disturb: Callable[[SessionClient, Json], None]
) -> SessionClient:
    """Edit twice, branch at the second turn, edit within a mask, undo; `disturb` is called with each turn."""
    told = SessionClient(client, render(story.first.before))
    turns: list[Json] = []
    for seed, (step, origin) in enumerate(
        [(story.first, None), (story.second, None), (story.branch, 0)], start=1
    ):
        parent = {} if origin is None else {"from": turns[origin]["candidates"][0]["id"]}
        turn = told.post(step.instruction, seed, **parent)
        disturb(told, turn)
        turns.append(told.done(turn))
        assert judge_edit(told.picture(turns[-1]), step).success, step.instruction
    masked = told.post(
        story.second.instruction,
        4,
        mask=data_url(changed_cells(story.second)),
        **{"from": turns[0]["candidates"][0]["id"]},
    )
    disturb(told, masked)
    masked = told.done(masked)
    assert masked["mask"]["cells_free"] < masked["mask"]["cells_total"]
    assert judge_edit(told.picture(masked), story.second).change_made
    assert told.sent("GET", f"{told.path}/head")["turn_id"] == masked["id"]
    assert told.sent("POST", f"{told.path}/head/undo")["turn_id"] == turns[0]["id"]
    return told


def test_kills_of_the_worker_in_the_middle_of_turns_change_no_picture(
    story: Story, tiny: Installation, client: httpx2.Client
) -> None:
    calm = tell(story, client, lambda *_: None)

    def kill(told: SessionClient, turn: Json) -> None:
        if turn["number"] > 1:
            eventually(partial(told.drawing, turn), "the first codes")
            tiny.worker.kill()
            tiny.worker.start()

    assert tell(story, client, kill).hashes() == calm.hashes()
