"""The Celery application: `celery --app services.worker.app worker --pool threads --queues ...`.

Queues generate, edit and dense make the process a GPU worker, queue io an io worker.
"""

import logging
import sys
from typing import Any, cast

from celery.signals import setup_logging

from services.worker.celery_app import create_celery_app
from services.worker.lifecycle import ListeningStep, PlatformStep
from shared.settings import load_settings
from shared.telemetry import configure_logging

CHATTY = ("celery.worker.strategy", "celery.app.trace", "httpx2")
"""Two lines for each doorbell, one for each request: of interest only when they fail."""


@setup_logging.connect
def log_like_every_service(loglevel: int | str = "INFO", **_: Any) -> None:
    """Replaces Celery's own logging; `--loglevel` is about our lines, not about those of libraries."""
    configure_logging("worker", json_lines=not sys.stderr.isatty())
    logging.getLogger("services").setLevel(loglevel)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


app = create_celery_app(load_settings().broker)
steps = cast("dict[str, set[type]]", app.steps)
steps["worker"].add(PlatformStep)
steps["consumer"].add(ListeningStep)
