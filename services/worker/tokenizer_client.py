"""The worker's end of the tokenizer service.

TokenizerError
├── TokenizerUnavailableError  no answer, or a busy or failing service: trying again helps
└── TokenizerRefusedError      a 4xx answer: the picture or the grid is at fault
"""

from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Any

import httpx2

from shared.settings import TokenizerSettings
from shared.token_grid import TokenGrid

GRID_TYPE = "application/vnd.luminary.token-grid"
CONNECT_SECONDS = 5.0
TEMPORARY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


class TokenizerError(Exception):
    """Base of what can happen between worker and tokenizer service."""


class TokenizerUnavailableError(TokenizerError):
    """The service cannot be reached, is overloaded or failed."""


class TokenizerRefusedError(TokenizerError):
    """The service refuses the request for good; `code` is the problem document's."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        super().__init__(detail)


@dataclass(frozen=True)
class TokenizerModel:
    """Which codebook the service has: its fingerprint, its size, the pixels a side of one code."""

    tokenizer: str
    codes: int
    cell: int


class TokenizerClient:
    """Blocking calls over kept connections; any thread may use it. Each raises TokenizerError."""

    def __init__(self, settings: TokenizerSettings, timeout_seconds: float) -> None:
        self._http = httpx2.Client(
            base_url=settings.url, timeout=httpx2.Timeout(timeout_seconds, connect=CONNECT_SECONDS)
        )

    @cached_property
    def model(self) -> TokenizerModel:
        """The service's model, asked once."""
        return TokenizerModel(**self._send("GET", "/v1/model").json())

    def encode(self, picture: bytes, *, size: str | None = None, fit: int | None = None) -> TokenGrid:
        """Codes of a picture file, fitted to WIDTHxHEIGHT, or to about `fit` x `fit` pixels."""
        wanted = {"size": size} if size else {"fit": fit}
        answer = self._send("POST", "/v1/encode", picture, params=wanted, headers={"Accept": GRID_TYPE})
        return TokenGrid.from_bytes(answer.content)

    def decode(self, grid: TokenGrid) -> bytes:
        """The picture of a grid, as PNG."""
        headers = {"Content-Type": GRID_TYPE}
        return self._send("POST", "/v1/decode", grid.to_bytes(), headers=headers).content

    def preview(self, grid: TokenGrid, rows: int) -> bytes:
        """A small PNG of a picture of `rows` token rows of which `grid` has the first."""
        headers = {"Content-Type": GRID_TYPE}
        return self._send(
            "POST", "/v1/preview", grid.to_bytes(), params={"rows": rows}, headers=headers
        ).content

    def white_cells(self, mask: bytes, size: str) -> tuple[bool, ...]:
        """Per cell, row by row, whether a mask fitted to WIDTHxHEIGHT has white in it."""
        rows: list[list[bool]] = self._send("POST", "/v1/mask", mask, params={"size": size}).json()["cells"]
        return tuple(cell for row in rows for cell in row)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _send(self, method: str, path: str, body: bytes | None = None, **options: Any) -> httpx2.Response:
        try:
            answer = self._http.request(method, path, content=body, **options)
        except httpx2.TransportError as error:
            raise TokenizerUnavailableError(f"the tokenizer service does not answer: {error!r}") from error
        if answer.is_success:
            return answer
        if answer.is_server_error or answer.status_code in TEMPORARY:
            raise TokenizerUnavailableError(f"the tokenizer service answers {answer.status_code}")
        raise refusal(answer)


def refusal(answer: httpx2.Response) -> TokenizerRefusedError:
    """The error of a 4xx answer; what is no problem document came from something in between."""
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        return TokenizerRefusedError("unknown", f"the tokenizer service answers {answer.status_code}")
    problem = answer.json()
    return TokenizerRefusedError(problem["code"], problem["detail"])
