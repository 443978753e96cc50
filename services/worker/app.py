"""The Celery application of `python -m services.worker`.

With the queues generate, edit or dense the process is a GPU worker, with the queue io an io worker.
"""

import logging
import sys
from typing import Any, cast

from celery.signals import setup_logging

from services.worker.broker.celery_app import create_celery_app
from services.worker.broker.celery_log import quieten_celery
from services.worker.lifecycle import ListeningStep, PlatformStep
from services.worker.settings import WorkerProcessSettings
from shared.settings import SettingsError, load_settings
from shared.telemetry import configure_logging

CHATTY = ("celery.worker.strategy", "celery.app.trace")
"""Loggers of Celery that write two lines for each doorbell; only their warnings are logged."""

try:
    settings = load_settings(WorkerProcessSettings)
except SettingsError as error:
    sys.exit(f"worker: {error}")


@setup_logging.connect
def log_like_every_service(loglevel: int | str = "INFO", **_: Any) -> None:
    """Replace Celery's own logging. `--loglevel` sets the level of our loggers, not that of libraries."""
    configure_logging("worker", settings.log, json_lines=not sys.stderr.isatty())
    logging.getLogger("services").setLevel(loglevel)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    quieten_celery()


app = create_celery_app(settings.broker)
steps = cast("dict[str, set[type]]", app.steps)
steps["worker"].add(PlatformStep)
steps["consumer"].add(ListeningStep)
