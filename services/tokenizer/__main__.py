"""Run the tokenizer service: `python -m services.tokenizer`."""

import ssl
import sys
from typing import Any

import uvicorn

from services.tokenizer.app import create_app
from services.tokenizer.movqgan.errors import MoVQGANError
from services.tokenizer.settings import TokenizerProcessSettings, TokenizerServiceSettings
from shared.misspelt_variables import warn_of_misspelt_variables
from shared.settings import SettingsError, TokenizerAddress, load_settings
from shared.telemetry import configure_logging
from shared.tracing.setup import configure_tracing_or_exit

LEAVE_SECONDS = 3
"""Time that open requests get to finish after SIGTERM."""


def main() -> None:
    """Serve until SIGTERM or SIGINT. Invalid settings or an unusable model end the process with a message."""
    try:
        process = load_settings(TokenizerProcessSettings)
    except SettingsError as error:
        sys.exit(f"tokenizer: {error}")
    settings = process.tokenizer
    configure_logging("tokenizer", process.log, json_lines=not sys.stderr.isatty())
    configure_tracing_or_exit("tokenizer")
    # TOKENIZER_URL is a setting of the workers, which often share this environment
    warn_of_misspelt_variables((*process.parts().values(), TokenizerAddress))
    try:
        app = create_app(settings)
    except MoVQGANError as error:
        sys.exit(f"tokenizer: cannot use the model {settings.model}: {error}\n{error.hint}")
    uvicorn.run(
        app,
        server_header=False,
        host=settings.host,
        port=settings.port,
        log_config=None,
        timeout_graceful_shutdown=LEAVE_SECONDS,
        **tls_options(settings),
    )


def tls_options(settings: TokenizerServiceSettings) -> dict[str, Any]:
    """Arguments of `uvicorn.run` for HTTPS and clients' certificates; empty without a certificate."""
    if settings.tls_certificate is None:
        return {}
    options: dict[str, Any] = {"ssl_certfile": str(settings.tls_certificate)}
    if settings.tls_client_ca is not None:
        options |= {"ssl_ca_certs": str(settings.tls_client_ca), "ssl_cert_reqs": ssl.CERT_REQUIRED}
    return options


if __name__ == "__main__":
    main()
