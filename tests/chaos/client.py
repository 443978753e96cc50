"""A client of the HTTP API that repeats each request, with the same idempotency key, until it is answered."""

import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2

from shared.jobs import FINAL_STATES
from tests.chaos.pausing import pause

PATIENCE_SECONDS = 240.0
PAUSE_SECONDS = 0.3
AGAIN = frozenset({409, 429, 502, 503, 504})
"""Statuses after which the client repeats the request."""


class BrokenGuaranteeError(AssertionError):
    """The platform gave no answer, or one that breaks a guarantee."""


@dataclass
class Client:
    """A client with the API key of one project. retries: number of repeated requests so far."""

    url: str
    key: str
    retries: int = 0

    def __post_init__(self) -> None:
        self._http = httpx2.Client(timeout=30.0, headers={"Authorization": f"Bearer {self.key}"})

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def submit(self, body: dict[str, Any]) -> str:
        """Submit one job, with as many requests as needed; return its id."""
        answer = self._ask("POST", "/v1/jobs", json=body, headers={"Idempotency-Key": uuid4().hex})
        return answer.json()["id"]

    def listen(self, url: str) -> str:
        """Send all events of jobs to this URL; return the secret that signs them."""
        wanted = {"url": url, "event_types": ["job.*"]}
        return self._ask("POST", "/v1/webhook_endpoints", json=wanted).json()["secret"]

    def job(self, job_id: str) -> dict[str, Any]:
        """The current state of the job."""
        return self._ask("GET", f"/v1/jobs/{job_id}").json()

    def cancel(self, job_id: str) -> None:
        """Request cancellation of the job."""
        self._ask("POST", f"/v1/jobs/{job_id}/cancel")

    def ended(self, job_id: str) -> dict[str, Any]:
        """Wait until the job has ended and return it. Raises BrokenGuaranteeError when it does not end."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            job = self.job(job_id)
            if job["status"] in FINAL_STATES:
                return job
            pause(PAUSE_SECONDS)
        raise BrokenGuaranteeError(f"{job_id} did not end: {self.job(job_id)}")

    def get(self, path: str) -> dict[str, Any]:
        """The JSON at a path."""
        return self._ask("GET", path).json()

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send a body once, with as many requests as needed; return the answer."""
        return self._ask("POST", path, json=body, headers={"Idempotency-Key": uuid4().hex}).json()

    def put(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Set what is at a path."""
        return self._ask("PUT", path, json=body).json()

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Change what is at a path."""
        return self._ask("PATCH", path, json=body).json()

    def delete(self, path: str) -> None:
        """Delete what is at a path; after a lost answer, that nothing is there any more."""
        self._ask("DELETE", path, then=404)

    def send_zip(self, path: str, file: bytes) -> dict[str, Any]:
        """Send a zip file once, with as many requests as needed; return the answer."""
        headers = {"Idempotency-Key": uuid4().hex, "Content-Type": "application/zip"}
        return self._ask("POST", path, content=file, headers=headers).json()

    def content_of(self, path: str) -> bytes:
        """The bytes at a path."""
        return self._ask("GET", path).content

    def upload(self, picture: bytes) -> str:
        """Upload a picture; return its id. If an answer is lost, a second, unused picture may remain."""
        return self._ask("POST", "/v1/images", files={"file": ("picture.png", picture)}).json()["id"]

    def content(self, image_id: str) -> bytes:
        """The bytes of a picture."""
        return self.content_of(f"/v1/images/{image_id}/content?credentials=false")

    def content_if_kept(self, image_id: str) -> bytes | None:
        """The bytes of a picture; None if it has expired."""
        answer = self._ask("GET", f"/v1/images/{image_id}/content?credentials=false", at_once=410)
        return answer.content if answer.is_success else None

    def _ask(
        self, method: str, path: str, *, then: int | None = None, at_once: int | None = None, **request: Any
    ) -> httpx2.Response:
        """Send until an answer comes. Raises BrokenGuaranteeError without one or for an unexpected status.

        then: a status that is expected of every request but the first. at_once: one that is always expected.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        fault: object = None
        while time.monotonic() < deadline:
            try:
                answer = self._http.request(method, self.url + path, **request)
            except httpx2.TransportError as error:
                fault = error
            else:
                if answer.is_success or answer.status_code == at_once:
                    return answer
                if fault is not None and answer.status_code == then:
                    return answer
                fault = f"{answer.status_code} {answer.text[:500]}"
                if answer.status_code not in AGAIN:
                    raise BrokenGuaranteeError(f"{method} {path}: {fault}")
            self.retries += 1
            pause(PAUSE_SECONDS)
        raise BrokenGuaranteeError(f"{method} {path} was never answered: {fault}")
