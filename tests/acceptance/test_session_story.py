"""A session over HTTP alone on the bundled model, while its worker is killed: every picture is right.

The scene world's own judge reads the pictures. A session of the same seeds that nobody disturbs has the same
tokens. It is exported and imported into another project; the next edit of both draws the same tokens, while
the gateway is killed and two clients follow the event streams.
"""

import base64
import http.client
import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from infra.local.installation import migrate
from infra.local.stack import EmbeddedStack
from shared.ids import IdKind, parse_id
from shared.token_grid import TokenGrid
from tests.support.gateway.event_streams import Arrived, reading
from tests.support.gateway.running import make_key
from tests.support.models.two_size_model import write_two_size_model
from tests.support.platforms.installation import Installation
from tests.support.platforms.platform import eventually
from training.judging.metrics import worst_cell
from training.judging.recognition import recognise
from training.judging.verdicts import KEPT_CELL_ERROR, judge_edit
from training.scenes.chains import EditStep, sample_chain, sample_step
from training.scenes.descriptions import Description, Mention
from training.scenes.edits import EditKind
from training.scenes.rendering import Picture, background_picture, render
from training.scenes.world import Background, Colour, Kind

MODEL = Path(__file__).parents[2] / "models/tiny"
CELL = 8
RED_BALL = Description((Mention(Kind.BALL, Colour.RED),), background=Background.BEACH)
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

    def __init__(self, client: httpx2.Client, session: Json) -> None:
        self._client = client
        self.session = session
        self.path = f"/v1/sessions/{session['id']}"

    @classmethod
    def begun(cls, client: httpx2.Client, picture: Picture) -> Self:
        """A new session that starts from a picture."""
        answer = client.post("/v1/sessions", json={"image": data_url(picture)})
        assert answer.status_code == 201, answer.text
        return cls(client, answer.json())

    def exported(self) -> bytes:
        """The zip file of the session."""
        return self._client.get(f"{self.path}/export").content

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

    def file(self, turn: Json, candidate: int = 0) -> bytes:
        """The file of a candidate of the turn, by default of the first one."""
        return self._client.get(httpx2.URL(turn["candidates"][candidate]["url"]).path).content

    def picture(self, turn: Json, candidate: int = 0) -> Picture:
        """The pixels of a candidate of the turn, by default of the first one."""
        return np.asarray(Image.open(io.BytesIO(self.file(turn, candidate))).convert("RGB"))

    def files(self) -> list[bytes]:
        """The files of all turns, in their order."""
        return [self.file(turn) for turn in self.sent("GET", self.path)["turns"]]

    def hashes(self) -> list[str]:
        """The token hashes of all turns, in their order."""
        turns = self.sent("GET", self.path)["turns"]
        jobs = [self.sent("GET", f"/v1/jobs/{turn['job_id']}") for turn in turns]
        return [job["outputs"][0]["tokens_sha256"] for job in jobs]


def admitted(tiny: Installation, name: str) -> httpx2.Client:
    """A client with the key of a new project."""
    platform = tiny.world(name)
    headers = {"Authorization": f"Bearer {make_key(platform.database, platform.project_id)}"}
    return httpx2.Client(base_url=tiny.gateway_url, headers=headers, timeout=30.0)


@pytest.fixture(scope="module")
def client(tiny: Installation) -> Iterator[httpx2.Client]:
    """A client of the project in which the story is told."""
    with admitted(tiny, "story") as client:
        yield client


@pytest.fixture(scope="module")
def calm(story: Story, client: httpx2.Client) -> SessionClient:
    """The story as it goes when nobody disturbs it."""
    return tell(story, client, lambda *_: None)


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
    told = SessionClient.begun(client, render(story.first.before))
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
    story: Story, tiny: Installation, client: httpx2.Client, calm: SessionClient
) -> None:
    def kill(told: SessionClient, turn: Json) -> None:
        if turn["number"] > 1:
            eventually(partial(told.drawing, turn), "the first codes")
            tiny.worker.kill()
            tiny.worker.start()

    assert tell(story, client, kill).hashes() == calm.hashes()


class Follower:
    """A client of a session's event stream; after every break it goes on with the id of the last event."""

    def __init__(self, client: httpx2.Client, session: SessionClient) -> None:
        self._port = urlsplit(str(client.base_url)).port or 0
        self._token = client.headers["authorization"].removeprefix("Bearer ")
        self._path = f"{session.path}/events?after=now"
        self._last_id: str | None = None
        self.breaks = 0
        self.arrived: list[Arrived] = []
        self.is_connected = threading.Event()

    def follow(self) -> None:
        """Read until a turn has succeeded. Fails if none does."""
        eventually(self._has_succeeded, f"the end of a turn on {self._path}")

    def _has_succeeded(self) -> bool:
        try:
            with reading(self._port, self._token, self._path, self._last_id) as reader:
                eventually(lambda: reader.last_id or reader.ended.is_set(), "the first lines of the stream")
                self.is_connected.set()
                eventually(
                    lambda: "job.succeeded" in reader.types or reader.ended.is_set(), "the end of the turn"
                )
        except (OSError, http.client.HTTPException):
            return False
        self._last_id = reader.last_id or self._last_id
        self.arrived += reader.durable
        self.breaks += "job.succeeded" not in reader.types
        return "job.succeeded" in reader.types


@pytest.mark.long
def test_an_imported_session_goes_on_with_the_same_tokens_while_the_gateway_dies(
    story: Story, tiny: Installation, client: httpx2.Client, calm: SessionClient
) -> None:
    with admitted(tiny, "elsewhere") as other:
        answer = other.post(
            "/v1/sessions/import", content=calm.exported(), headers={"Content-Type": "application/zip"}
        )
        assert answer.status_code == 201, answer.text
        copy = SessionClient(other, answer.json())
        assert (copy.hashes(), copy.files()) == (calm.hashes(), calm.files())
        sessions = [(client, calm), (other, copy)]
        followers = [Follower(each, session) for each, session in sessions]
        with ThreadPoolExecutor(2) as threads:
            following = [threads.submit(follower.follow) for follower in followers]
            for follower in followers:
                eventually(follower.is_connected.is_set, "the open stream")
            tiny.gateway.kill()
            tiny.gateway.start()
            turns = [session.post(story.branch.instruction, 9) for _, session in sessions]
            tiny.gateway.kill()
            tiny.gateway.start()
            for one in following:
                one.result()
        ended = [session.done(turn) for (_, session), turn in zip(sessions, turns, strict=True)]
        assert copy.hashes()[-1] == calm.hashes()[-1]
        assert copy.file(ended[1]) == calm.file(ended[0])
    for follower, turn in zip(followers, turns, strict=True):
        assert follower.breaks >= 1
        kinds = tiny.world("witness").events(parse_id(IdKind.JOB, turn["job_id"]))
        assert [event.type.removeprefix("job.") for event in follower.arrived] == kinds


def is_extended(picture: Picture, parent: Picture) -> bool:
    """Whether the new cells go on with the rows of the parent, and with its ground below."""
    seen = recognise(parent)
    side = picture.shape[0] // CELL
    wanted = background_picture(seen.background, side, seen.horizon)
    new = np.ones(picture.shape[:2], np.bool_)
    new[: parent.shape[0], : parent.shape[1]] = False
    return worst_cell(picture, wanted, new) <= KEPT_CELL_ERROR


def codes_of(session: SessionClient) -> list[TokenGrid]:
    """The drawn codes of the session's pictures in the order of its turns and candidates, from its export."""
    with zipfile.ZipFile(io.BytesIO(session.exported())) as archive:
        drawn = {grid["image_id"]: grid["file"] for grid in json.loads(archive.read("codes.json"))}
        turns = json.loads(archive.read("session.json"))["turns"]
        images = [candidate["image_id"] for turn in turns for candidate in turn["candidates"]]
        return [TokenGrid.from_bytes(archive.read(drawn[image])) for image in images]


@pytest.mark.long
def test_a_picture_is_extended_by_a_model_of_two_sizes(
    tiny: Installation, client: httpx2.Client, tmp_path: Path
) -> None:
    """The old cells stay token for token; the new ones go on with the scenery that they touch."""
    write_two_size_model(MODEL, tmp_path / "two-sizes")
    worker = tiny.further_worker("two-sizes", WORKER_MODEL=str(tmp_path / "two-sizes"))
    try:
        worker.start()
        eventually(lambda: "two-sizes" in client.get("/v1/models").text, "the second model")
        words = {"prompt": "a red ball on the beach", "model": "two-sizes"}
        told = SessionClient(client, client.post("/v1/sessions", json={**words, "seed": 3}).json())
        first = told.done(told.session["turns"][0])
        larger = {"keep_from": first["candidates"][0]["id"], "extend": {"bottom": 4, "right": 4}}
        turn = told.done(told.post(seed=4, task="text_to_image", n=4, **words, **larger))
    finally:
        worker.process.stop()
    parent = told.picture(first)
    assert RED_BALL.fits(recognise(parent))
    extended = [told.picture(turn, candidate) for candidate in range(4)]
    assert {picture.shape for picture in extended} == {(96, 96, 3)}
    assert sum(is_extended(picture, parent) for picture in extended) >= 3
    kept, *grids = (grid.rows() for grid in codes_of(told))
    assert all([row[:8] for row in grid[:8]] == kept for grid in grids)
