"""Run the image tokenizer service: `python -m services.tokenizer`."""

import sys

import uvicorn
from pydantic import ValidationError

from services.tokenizer.app import create_app
from services.tokenizer.movqgan.errors import MoVQGANError
from services.tokenizer.settings import TokenizerServiceSettings
from shared.settings import variable_faults
from shared.telemetry import configure_logging

LEAVE_SECONDS = 3
"""How long open requests may hold up the end of the process."""


def main() -> None:
    """Serve until SIGTERM or SIGINT; a bad environment or model is told in a line or two."""
    try:
        settings = TokenizerServiceSettings()
    except ValidationError as error:
        sys.exit("tokenizer: " + "\n".join(variable_faults(TokenizerServiceSettings, error)))
    configure_logging("tokenizer", json_lines=not sys.stderr.isatty())
    try:
        app = create_app(settings)
    except MoVQGANError as error:
        sys.exit(f"tokenizer: cannot use the model {settings.model}: {error}\n{error.hint}")
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        timeout_graceful_shutdown=LEAVE_SECONDS,
    )


if __name__ == "__main__":
    main()
