"""The sessions of a chaos run: the same story again and again, whose tree and pictures must be the same."""

import io
import json
import threading
import zipfile
from dataclasses import dataclass, field
from typing import Any

from shared.jobs import FINAL_STATES
from tests.chaos.client import BrokenGuaranteeError, Client
from tests.chaos.pausing import pause

LOOK_SECONDS = 0.5
LOOKS = 480
Ending = tuple[tuple[str, tuple[str, ...]], ...]
"""For each turn of the story, its name and the token hashes of its pictures."""


def play(client: Client) -> Ending:
    """One session: a picture, an edit while it is drawn, a map of the edit, a variation of the first picture.

    Moves the head, reads the export, and returns what was drawn. Raises BrokenGuaranteeError.
    """
    created = client.post("/v1/sessions", {"title": "story", "prompt": "a red star", "seed": 1})
    path, first = f"/v1/sessions/{created['id']}", created["turns"][0]["id"]
    edit = client.post(f"{path}/turns", {"from": first, "prompt": "make the star green", "seed": 2, "n": 2})
    client.post(f"{path}/turns", {"from": edit["id"], "task": "dense", "target": "segmentation", "seed": 3})
    ended(client, path)
    varied = {"from": first, "prompt": "make the star blue", "variation_strength": 0.5, "seed": 4}
    client.post(f"{path}/turns", varied)
    session = ended(client, path)
    for turn in session["turns"][:2]:
        chosen = turn["candidates"][0]["id"]
        moved = client.put(f"{path}/head", {"candidate": chosen})
        if moved["candidate_id"] != chosen:
            raise BrokenGuaranteeError(f"the head is {moved['candidate_id']}, not {chosen}")
    check_export(client.content_of(f"{path}/export"), session)
    return tuple((str(turn["number"]), hashes(client, path, turn)) for turn in session["turns"])


def ended(client: Client, path: str) -> dict[str, Any]:
    """Wait until all turns have ended and return the session. Raises BrokenGuaranteeError."""
    session: dict[str, Any] = {}
    for _ in range(LOOKS):
        session = client.get(path)
        if all(turn["status"] in FINAL_STATES for turn in session["turns"]):
            return session
        pause(LOOK_SECONDS)
    raise BrokenGuaranteeError(f"turns of {path} did not end: {session}")


def hashes(client: Client, path: str, turn: dict[str, Any]) -> tuple[str, ...]:
    """The token hashes of a turn's pictures. Raises BrokenGuaranteeError if it did not succeed."""
    if turn["status"] != "succeeded":
        raise BrokenGuaranteeError(f"turn {turn['number']} of {path} is {turn['status']}: {turn['error']}")
    job = client.get(f"{path}/turns/{turn['id']}")["job"]
    return tuple(output["tokens_sha256"] for output in job["outputs"])


def check_export(file: bytes, session: dict[str, Any]) -> None:
    """Raise BrokenGuaranteeError unless the zip is whole and has the session's tree."""
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        broken = archive.testzip()
        tree = json.loads(archive.read("session.json"))
    if broken is not None:
        raise BrokenGuaranteeError(f"the export of {session['id']} has a broken entry: {broken}")
    if [turn["id"] for turn in tree["turns"]] != [turn["id"] for turn in session["turns"]]:
        raise BrokenGuaranteeError(f"the export of {session['id']} has another tree")


@dataclass
class Stories:
    """A thread that plays the story until `finish` is called, and compares it with the undisturbed one."""

    client: Client
    expected: Ending
    played: int = 0
    misses: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stories", daemon=True)

    def start(self) -> None:
        """Start playing."""
        self._thread.start()

    def finish(self) -> None:
        """Wait until the running story has ended."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                drawn = play(self.client)
            except (BrokenGuaranteeError, KeyError, zipfile.BadZipFile) as error:
                self.misses.append(f"session: {error!r}")
            else:
                if drawn != self.expected:
                    self.misses.append(f"session: {drawn} instead of {self.expected}")
            self.played += 1
