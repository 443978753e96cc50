"""Client of the tokenizer service for checks of provenance."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from shared.error_words import words_of
from shared.settings import TokenizerAddress, secret_list
from shared.tls import tls_context
from shared.token_grid import TokenGrid

logger = logging.getLogger(__name__)

Body = TypeVar("Body", bound=BaseModel)

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


class SearchBody(BaseModel):
    """The service's answer to a search for the watermark."""

    log_p: float | None
    cells: int | None


class KnownNoise(BaseModel):
    """The noise that a picture was probably drawn with, and where the codes lie in that picture, in cells."""

    seed: int
    image: int
    rows: int
    columns: int
    row: int = 0
    column: int = 0


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
        body = await self._ask(
            InspectionBody, "/v1/inspect", content=picture, params={"size": f"{size[0]}x{size[1]}"}
        )
        if body is None:
            return None
        return Inspection(TokenGrid(body.height, body.width, tuple(body.tokens)), body.tokenizer)

    async def search_watermark(self, grid: TokenGrid, known: KnownNoise | None) -> SearchBody | None:
        """Search codes for the installation's noise; None if the service does not answer."""
        asked = {
            "height": grid.height,
            "width": grid.width,
            "tokens": grid.tokens,
            "known": known and known.model_dump(),
        }
        return await self._ask(SearchBody, "/v1/watermark", json=asked)

    async def _ask(self, kind: type[Body], path: str, **options: Any) -> Body | None:
        try:
            async with self._turns, asyncio.timeout(TOTAL_SECONDS):
                answer = await self._http.post(path, **options)
            answer.raise_for_status()
            return kind.model_validate_json(answer.content)
        except (httpx2.HTTPError, ValidationError, TimeoutError) as error:
            logger.warning("the tokenizer service cannot check a picture", extra={"reason": words_of(error)})
            return None

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
