"""The servers that a worker depends on, and a function that finds the server that caused an error."""

import logging

from services.worker.tokenizer_client import TokenizerUnavailableError
from shared.outages import Outage
from shared.storage import StorageError

logger = logging.getLogger(__name__)

DATABASE = Outage(logger, "the database")
STORAGE = Outage(logger, "the object storage")
TOKENIZER = Outage(logger, "the tokenizer service")
BROKER = Outage(logger, "the broker")


def outage_of(error: Exception) -> Outage:
    """The server that caused a transient fault."""
    match error:
        case StorageError():
            return STORAGE
        case TokenizerUnavailableError():
            return TOKENIZER
        case _:
            return DATABASE
