"""Readiness and liveness checks for the services of the platform."""

import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from urllib.parse import urlsplit

from sqlalchemy.exc import DBAPIError

from infra.local.installation import has_registered, is_beating
from infra.local.ports import is_listening
from infra.local.process import ManagedProcess
from infra.local.services import ALIVE_PATH, READY_PATH, Service
from infra.local.watched import Questions

READY_SECONDS = 120.0
MODEL_SECONDS = 1800.0
"""Start limit of a worker: a large model takes long to load."""
ANSWER_SECONDS = 2.0
HTTP_PORT = 80
SETTLED_SECONDS = 3.0
"""A process without a check of its own counts as ready when it has run for this long."""


def answers(url: str) -> bool:
    """Whether a GET of the URL returns 200."""
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:  # noqa: S310  (our own address)
            return answer.status == 200
    except (urllib.error.URLError, OSError, HTTPException):
        return False


def questions_for(service: Service, process: ManagedProcess, database_url: str) -> Questions:
    """The checks of a service: an HTTP request if it has an address, the workers table for a worker."""
    url = service.ready_url
    if url is not None:
        alive_url = url.removesuffix(READY_PATH) + ALIVE_PATH if url.endswith(READY_PATH) else url
        return Questions(
            lambda: listens(process, url) and answers(url), READY_SECONDS, lambda: answers(alive_url)
        )
    if service.registers:
        return Questions(
            lambda: registered(process, database_url),
            MODEL_SECONDS,
            lambda: is_beating(database_url, process.pid or 0),
        )
    return Questions(lambda: process.running_seconds > SETTLED_SECONDS, READY_SECONDS)


def listens(process: ManagedProcess, url: str) -> bool:
    """Whether this process, and not another program, listens on the port of the URL."""
    return is_listening(process.pid or 0, urlsplit(url).port or HTTP_PORT)


def registered(process: ManagedProcess, database_url: str) -> bool:
    """Whether the worker has loaded its model; False also while the database does not answer."""
    try:
        return has_registered(database_url, process.pid or 0)
    except DBAPIError:
        return False


def watched_environment(own: Mapping[str, str], servers: Mapping[str, str]) -> dict[str, str]:
    """Environment variables for every service; logs are plain text unless LOG_FORMAT is set."""
    plain = {} if own.get("LOG_FORMAT") else {"LOG_FORMAT": "plain"}
    return {**servers, **plain}
