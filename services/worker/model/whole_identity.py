"""The numerics identity of whole pictures: the engine's, completed with that of the image tokenizer."""

import logging
from threading import Lock

from services.worker.model.identity import ModelIdentity
from services.worker.tokenizer_client import TokenizerClient, TokenizerError
from shared.error_words import words_of

logger = logging.getLogger(__name__)


class WholeIdentity:
    """Asks the tokenizer service until it answers. No job is claimed before the identity is known."""

    def __init__(self, engine: ModelIdentity, tokenizer: TokenizerClient) -> None:
        self._engine = engine
        self._tokenizer = tokenizer
        self._lock = Lock()
        self._whole: ModelIdentity | None = None
        self._is_waiting = False

    @property
    def known(self) -> ModelIdentity | None:
        """The complete identity; None until the tokenizer service has answered."""
        return self._whole

    @property
    def id(self) -> str | None:
        """Short name of the numerics identity; None until it is known."""
        return None if self._whole is None else self._whole.numerics.id

    def ask(self) -> ModelIdentity | None:
        """Return the complete identity, asking the service if needed; None while that does not answer."""
        with self._lock:
            if self._whole is None:
                self._whole = self._completed()
            return self._whole

    def _completed(self) -> ModelIdentity | None:
        try:
            whole = self._engine.with_image_tokenizer(self._tokenizer.model.numerics)
        except TokenizerError as error:
            if not self._is_waiting:
                logger.warning(
                    "the tokenizer service does not answer; no job is claimed until it does",
                    extra={"reason": words_of(error)},
                )
            self._is_waiting = True
            return None
        logger.info("numerics identity %s", whole.numerics)
        return whole
