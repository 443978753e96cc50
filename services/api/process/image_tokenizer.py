"""Client of the tokenizer service for checks of provenance."""

import asyncio
import logging
from dataclasses import dataclass

import httpx2
from pydantic import BaseModel, ValidationError

from shared.error_words import words_of
from shared.settings import TokenizerAddress, secret_list
from shared.tls import tls_context
from shared.token_grid import TokenGrid

logger = logging.getLogger(__name__)

TOTAL_SECONDS = 60.0
"""Limit for one picture with its time in the service's queue."""
MOST_AT_ONCE = 2
"""Pictures that one gateway process has encoded at the same time, so that jobs keep most of the service."""


class InspectionBody(BaseModel):
    """The service's answer."""

    height: int
    width: int
    tokens: list[int]
    tokenizer: str


@dataclass(frozen=True)
class Inspection:
    """A picture's codes, and the fingerprint of the image tokenizer that made them."""

    grid: TokenGrid
    tokenizer: str


class ImageTokenizer:
    """Encodes pictures of unknown origin."""

    def __init__(self, address: TokenizerAddress) -> None:
        secrets = secret_list(address.secret)
        self._http = httpx2.AsyncClient(
            base_url=address.url,
            headers={"Authorization": f"Bearer {secrets[0]}"} if secrets else None,
            verify=tls_context(address),
            timeout=httpx2.Timeout(TOTAL_SECONDS, connect=3.0),
        )
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)

    async def inspect(self, picture: bytes, size: tuple[int, int]) -> Inspection | None:
        """Encode a picture at (width, height); None if the service does not answer, or refuses it."""
        try:
            async with self._turns, asyncio.timeout(TOTAL_SECONDS):
                answer = await self._http.post(
                    "/v1/inspect", content=picture, params={"size": f"{size[0]}x{size[1]}"}
                )
            answer.raise_for_status()
            body = InspectionBody.model_validate_json(answer.content)
        except (httpx2.HTTPError, ValidationError, TimeoutError) as error:
            logger.warning("the tokenizer service cannot check a picture", extra={"reason": words_of(error)})
            return None
        return Inspection(TokenGrid(body.height, body.width, tuple(body.tokens)), body.tokenizer)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
