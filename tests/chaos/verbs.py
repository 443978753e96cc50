"""What else a client can do, under faults: retry, replay, restore, import, delete, change webhook endpoints.

It is done again and again in a project of its own, whose pictures expire after RETENTION_SECONDS.
"""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from tests.chaos.client import BrokenGuaranteeError, Client
from tests.chaos.pausing import pause
from tests.chaos.work import token_hashes

PROJECT = "chaos-verbs"
RETENTION_SECONDS = 4
LOOK_SECONDS = 0.5
LOOKS = 480
REQUEST = {"prompt": "a red star", "seed": 5, "n": 2}
Found = TypeVar("Found")


def visit(client: Client) -> tuple[str, ...]:
    """Use every verb once and delete what was made; return the token hashes of the drawn job.

    Raises BrokenGuaranteeError as soon as a verb has another result than without faults.
    """
    job = drawn(client, client.submit(REQUEST))
    replay_and_retry(client, job)
    restore(client, job)
    import_session(client)
    change_endpoint(client)
    client.delete(f"/v1/jobs/{job['id']}")
    return token_hashes(job)


def drawn(client: Client, job_id: str) -> dict[str, Any]:
    """The job after its end. Raises BrokenGuaranteeError if it has no pictures."""
    job = client.ended(job_id)
    if job["status"] != "succeeded":
        raise BrokenGuaranteeError(f"{job_id} is {job['status']}: {job['error']}")
    return job


def replay_and_retry(client: Client, job: dict[str, Any]) -> None:
    """A replay is equal; what was canceled and retried has the same codes. Both are deleted."""
    path = f"/v1/jobs/{job['id']}"
    replay = drawn(client, client.post(f"{path}/replay", {})["id"])
    check(replay["replay"]["equal"], f"the replay of {job['id']} differs: {replay['replay']}")
    canceled = client.submit(REQUEST)
    client.cancel(canceled)
    retried = replay
    if client.ended(canceled)["status"] == "canceled":
        retried = drawn(client, client.post(f"/v1/jobs/{canceled}/retry", {})["id"])
        client.delete(f"/v1/jobs/{retried['id']}")
    check(token_hashes(retried) == token_hashes(job), f"the retry of {canceled} has other codes")
    client.delete(f"/v1/jobs/{canceled}")
    client.delete(f"/v1/jobs/{replay['id']}")


def restore(client: Client, job: dict[str, Any]) -> None:
    """Expired pictures are restored with the bytes that were drawn."""
    for output in job["outputs"]:
        path = f"/v1/images/{output['id']}"
        eventually(lambda path=path: client.get(path)["expired"], f"the end of {path}")
        restored = eventually(partial(restored_bytes, client, output["id"]), f"the restored {path}")
        digest = hashlib.sha256(restored).hexdigest()
        check(digest == output["sha256"], f"{path} was restored with other bytes")


def restored_bytes(client: Client, image_id: str) -> bytes | None:
    """Request the restore of a picture; its bytes once they are there."""
    client.post(f"/v1/images/{image_id}/restore", {})
    return client.content_if_kept(image_id)


def import_session(client: Client) -> None:
    """The export of a session is imported with the same codes. Both sessions are deleted."""
    session = client.post("/v1/sessions", REQUEST)
    path = f"/v1/sessions/{session['id']}"
    job = drawn(client, session["turns"][0]["job_id"])
    copy = client.send_zip("/v1/sessions/import", client.content_of(f"{path}/export"))
    copied = client.job(copy["turns"][0]["job_id"])
    check(token_hashes(copied) == token_hashes(job), f"the import of {path} has other codes")
    for made in (session, copy):
        client.delete(f"/v1/sessions/{made['id']}?confirm=1")


def change_endpoint(client: Client) -> None:
    """A webhook endpoint is made, changed, disabled, enabled and deleted."""
    wanted = {"url": "http://127.0.0.1:9/", "event_types": ["webhook_endpoint.*"]}
    made = client.post("/v1/webhook_endpoints", wanted)
    path = f"/v1/webhook_endpoints/{made['id']}"
    changed = client.patch(path, {"name": "changed"})
    check(changed["name"] == "changed", f"{path} has not changed: {changed}")
    rotated = client.post(f"{path}/rotate_secret", {"force": True})  # a lost answer is asked for again
    check(rotated["secret"] != made["secret"], f"{path} has its old secret")
    for verb in ("disable", "enable"):
        switched = client.post(f"{path}/{verb}", {})
        check(switched["status"] == f"{verb}d", f"{path} after {verb}: {switched}")
    client.delete(path)
    listed = [endpoint["id"] for endpoint in client.get("/v1/webhook_endpoints?limit=100")["data"]]
    check(made["id"] not in listed, f"{path} was deleted and is listed")


def eventually(look: Callable[[], Found | None], what: str) -> Found:
    """Look until something is found. Raises BrokenGuaranteeError."""
    for _ in range(LOOKS):
        if found := look():
            return found
        pause(LOOK_SECONDS)
    raise BrokenGuaranteeError(f"{what} did not come")


def check(holds: bool, otherwise: str) -> None:
    """Raise BrokenGuaranteeError with this text unless `holds`."""
    if not holds:
        raise BrokenGuaranteeError(otherwise)


@dataclass
class Visits:
    """A thread that visits until `finish` is called, and compares the codes with the undisturbed ones."""

    client: Client
    expected: tuple[str, ...]
    made: int = 0
    misses: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="visits", daemon=True)

    def start(self) -> None:
        """Start visiting."""
        self._thread.start()

    def finish(self) -> None:
        """Wait until the visit in progress has ended."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                codes = visit(self.client)
            except (BrokenGuaranteeError, KeyError, IndexError) as error:
                self.misses.append(f"verbs: {error!r}")
            else:
                if codes != self.expected:
                    self.misses.append(f"verbs: {codes} instead of {self.expected}")
            self.made += 1
