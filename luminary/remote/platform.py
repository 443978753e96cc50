"""HTTP client for a running platform: post a job, read its progress, fetch its pictures."""

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

import click

SHORT_SECONDS = 30.0
CHECK_SECONDS = 300.0
"""Limit for a check of provenance, for which the picture may be encoded several times."""
NOT_READY = 503
WAIT_SECONDS = 20
"""Time for which the gateway keeps the submission open, in case the job ends soon."""

Json = dict[str, Any]


class Platform:
    """A client with one gateway and one API key. All methods raise ClickException with a one-line message."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/")
        self._key = key

    def submit(self, request: Mapping[str, Any]) -> Json:
        """Submit a job; return it when it has ended, or as it is after WAIT_SECONDS."""
        body = json.dumps(dict(request)).encode()
        headers = {"Content-Type": "application/json", "Prefer": f"wait={WAIT_SECONDS}"}
        return self._json("/v1/jobs", "POST", body, headers, WAIT_SECONDS + SHORT_SECONDS)

    def job(self, job_id: str) -> Json:
        """The current state of the job."""
        return self._json(f"/v1/jobs/{job_id}")

    def check(self, picture: bytes) -> Json:
        """Ask the platform for the provenance of a picture."""
        body = json.dumps({"image": base64.b64encode(picture).decode()}).encode()
        headers = {"Content-Type": "application/json"}
        return self._json("/v1/provenance/check", "POST", body, headers, CHECK_SECONDS)

    def cancel(self, job_id: str) -> None:
        """Request cancellation of the job."""
        self._json(f"/v1/jobs/{job_id}/cancel", "POST", b"")

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Json:
        """Send a request, with a body in JSON if there is one, and return the answer."""
        content = None if body is None else json.dumps(dict(body)).encode()
        return self._json(path, method, content, {} if body is None else {"Content-Type": "application/json"})

    def text(self, path: str) -> str:
        """The answer to a GET request for text."""
        return self._ask(path, "GET", None, {}).decode("utf-8", "replace")

    def picture(self, address: str) -> bytes:
        """Fetch a picture. Only path and query of `address` are used: its host may be the public name."""
        parts = urllib.parse.urlsplit(address)
        return self._ask(urllib.parse.urlunsplit(("", "", parts.path, parts.query, "")), "GET", None, {})

    def models(self) -> Json:
        """The models that running workers have; it needs a valid key."""
        return self._json("/v1/models")

    def metrics(self) -> str:
        """The gateway's metrics in Prometheus' text format."""
        return self._ask("/metrics", "GET", None, {}).decode("utf-8", "replace")

    def readiness(self) -> Json:
        """Which servers behind the gateway answer; also while it is not ready."""
        return self._json("/ready", accepted=frozenset({NOT_READY}))

    def _json(
        self,
        path: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = SHORT_SECONDS,
        *,
        accepted: frozenset[int] = frozenset(),
    ) -> Json:
        answer = self._ask(path, method, body, headers or {}, seconds, accepted=accepted)
        try:
            return json.loads(answer)
        except ValueError as error:
            raise click.ClickException(f"{self._url} is not Luminary: its answer is not JSON") from error

    def _ask(
        self,
        path: str,
        method: str,
        body: bytes | None,
        headers: Mapping[str, str],
        seconds: float = SHORT_SECONDS,
        *,
        accepted: frozenset[int] = frozenset(),
    ) -> bytes:
        """The body of an answer. accepted: statuses of errors whose body is wanted as well."""
        request = urllib.request.Request(  # noqa: S310  (http or https, from our own run file or --url)
            self._url + path,
            data=body,
            method=method,
            headers={**headers, **({"Authorization": f"Bearer {self._key}"} if self._key else {})},
        )
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310
                return answer.read()
        except urllib.error.HTTPError as error:
            if error.code in accepted:
                return error.read()
            raise click.ClickException(problem(error.code, error.read())) from error
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise click.ClickException(f"{self._url} does not answer: {reason}") from error


def problem(status: int, body: bytes) -> str:
    """A problem document (RFC 9457) as one line of text."""
    try:
        document: Json = json.loads(body)
        text = str(document.get("detail") or document["title"])
        faults = [(str(fault["param"]), str(fault["message"])) for fault in document.get("errors", [])[:3]]
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"the platform answered {status}"
    lines = [f"{param}: {message}" for param, message in faults]
    if len(faults) == 1 and faults[0][1] in text:
        lines = []
    return " ".join("; ".join([text, *(line for line in lines if line not in text)]).split())
