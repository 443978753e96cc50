"""Run the gateway: `python -m services.api`."""

import sys
from contextlib import suppress
from functools import partial

import uvicorn

from services.api.app import create_app, end_streams
from services.api.connections.connection import server_options
from services.api.connections.server import GatewayServer
from services.api.http.memory import exempt_start_up_objects, return_large_blocks
from services.api.settings import GatewayProcessSettings
from shared.misspelt_variables import warn_of_misspelt_variables
from shared.settings import SettingsError, load_settings
from shared.telemetry import configure_logging
from shared.tracing.setup import configure_tracing_or_exit

STARTUP_FAILURE = 3
"""Exit status if the gateway could not listen, as with uvicorn itself."""
LEAVE_SECONDS = 3
"""Time that open requests get to finish after SIGTERM, also those that wait for a job."""


def main() -> None:
    """Serve until SIGTERM or SIGINT. Invalid settings end the process with one line for each variable."""
    try:
        settings = load_settings(GatewayProcessSettings)
    except SettingsError as error:
        sys.exit(f"gateway: {error}")
    configure_logging("gateway", settings.log, json_lines=not sys.stderr.isatty())
    configure_tracing_or_exit("gateway")
    warn_of_misspelt_variables(settings.parts().values())
    return_large_blocks()
    app = create_app(settings)
    exempt_start_up_objects()
    config = uvicorn.Config(
        app,
        **server_options(settings.gateway),
        host=settings.gateway.host,
        port=settings.gateway.port,
        log_config=None,
        timeout_graceful_shutdown=LEAVE_SECONDS,
    )
    server = GatewayServer(config, partial(end_streams, app))
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


if __name__ == "__main__":
    main()
