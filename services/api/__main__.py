"""Run the gateway: `python -m services.api`."""

import sys

import uvicorn

from services.api.app import create_app
from shared.settings import SettingsError, load_settings
from shared.telemetry import configure_logging

LEAVE_SECONDS = 3
"""How long open requests, those that wait for a job among them, may hold up the end of the process."""


def main() -> None:
    """Serve until SIGTERM or SIGINT; a bad environment is told in a line for each variable."""
    try:
        settings = load_settings()
    except SettingsError as error:
        sys.exit(f"gateway: {error}")
    configure_logging("gateway", json_lines=not sys.stderr.isatty())
    uvicorn.run(
        create_app(settings),
        host=settings.gateway.host,
        port=settings.gateway.port,
        log_config=None,
        timeout_graceful_shutdown=LEAVE_SECONDS,
    )


if __name__ == "__main__":
    main()
