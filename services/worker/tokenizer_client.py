"""Client of the tokenizer service.

TokenizerError
├── TokenizerUnavailableError  no answer, or the service is busy: a retry helps
│   └── TokenizerFailedError   the service answers 500: it fails at this request
└── TokenizerRefusedError      a 4xx answer: the picture or the grid is not acceptable

The model may take minutes for a large picture, but no HTTP request waits that long. The service answers 202
with an address, which the client asks about once a second. A retry after a lost connection finds the work in
progress, because its id is a hash of the request.
"""

from collections.abc import Callable
from functools import cached_property
from http import HTTPStatus
from typing import Any

import httpx2
from pydantic import ValidationError

from shared.errors import LuminaryError
from shared.pictures.mask_modes import MaskMode
from shared.problem_documents import ProblemDocument
from shared.schemas.image_tokenizer import ImageTokenizerModel
from shared.settings import TokenizerAddress, secret_list
from shared.tls import tls_context
from shared.token_grid import TokenGrid
from shared.tracing.contexts import current_headers

GRID_TYPE = "application/vnd.luminary.token-grid"
CONNECT_SECONDS = 5.0
POLL_SECONDS = 1
"""Time that the service waits for a result before it answers 202."""
SILENT_SECONDS = 20.0
"""A service that sends no answer for this long counts as unreachable; the request is sent again."""
UNIT_PIXELS = 512 * 512
"""Number of pixels that `timeout_seconds` is for; the limit grows in proportion for larger pictures."""
TEMPORARY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
AWAY = frozenset(
    {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT, *TEMPORARY}
)


class TokenizerError(LuminaryError):
    """Base of the errors of the tokenizer client."""

    code = "tokenizer_error"
    hint = "Read the message; it names the cause."


class TokenizerUnavailableError(TokenizerError):
    """The service cannot be reached, is overloaded, takes too long, or fails."""

    code = "tokenizer_unavailable"
    retryable = True
    hint = "Check that the tokenizer service answers at TOKENIZER_URL."


class TokenizerFailedError(TokenizerUnavailableError):
    """The service fails at this request; a retry, or another replica, may succeed."""

    code = "tokenizer_failed"
    hint = "Read the log of the tokenizer service."


class TokenizerRefusedError(TokenizerError):
    """The service refuses the request, and a retry does not help. code: from the problem document."""

    hint = "Correct what the message names."

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        super().__init__(detail)


def go_on() -> None:
    """The default of `check`: never stop waiting."""


class TokenizerClient:
    """Blocking calls, which any thread may use; connections are kept open. Each call raises TokenizerError.

    check: called about once a second during the wait; an exception from it ends the wait.
    """

    def __init__(self, address: TokenizerAddress, timeout_seconds: float) -> None:
        """timeout_seconds: limit of the service's work on UNIT_PIXELS, without the time in its queue."""
        self._timeout_seconds = timeout_seconds
        secrets = secret_list(address.secret)
        self._http = httpx2.Client(
            base_url=address.url,
            headers={"Authorization": f"Bearer {secrets[0]}"} if secrets else None,
            verify=tls_context(address),
            timeout=httpx2.Timeout(POLL_SECONDS + SILENT_SECONDS, connect=CONNECT_SECONDS),
        )

    @property
    def model(self) -> ImageTokenizerModel:
        """Description of the service's model; it is requested only once."""
        return self._model

    @cached_property
    def _model(self) -> ImageTokenizerModel:
        return ImageTokenizerModel.model_validate_json(self._send("GET", "/v1/model").content)

    def encode(
        self,
        picture: bytes,
        *,
        size: str | None = None,
        fit: int | None = None,
        check: Callable[[], None] = go_on,
    ) -> TokenGrid:
        """Encode a picture file, fitted to `size` (WIDTHxHEIGHT) or to about `fit` x `fit` pixels."""
        width, _, height = (size or f"{fit}x{fit}").partition("x")
        answer = self._work(
            "/v1/encode",
            picture,
            int(width) * int(height),
            check,
            params={"size": size} if size else {"fit": fit},
            headers={"Accept": GRID_TYPE},
        )
        return TokenGrid.from_bytes(answer.content)

    def decode(self, grid: TokenGrid, check: Callable[[], None] = go_on) -> bytes:
        """Decode a grid to a PNG file."""
        return self._work(
            "/v1/decode", grid.to_bytes(), self._pixels(grid), check, headers={"Content-Type": GRID_TYPE}
        ).content

    def preview(self, grid: TokenGrid, rows: int, check: Callable[[], None] = go_on) -> bytes:
        """Decode the first rows of a picture, in `grid`, to a small PNG. rows: rows of the whole picture."""
        return self._work(
            "/v1/preview",
            grid.to_bytes(),
            self._pixels(grid),
            check,
            params={"rows": rows},
            headers={"Content-Type": GRID_TYPE},
        ).content

    def free_cells(self, mask: bytes, size: str, mode: MaskMode) -> tuple[bool, ...]:
        """Whether a mask, fitted to WIDTHxHEIGHT, lets a cell change: one entry per cell, row by row."""
        asked = {"size": size, "mode": mode.value}
        rows: list[list[bool]] = self._send("POST", "/v1/mask", mask, params=asked).json()["cells"]
        return tuple(cell for row in rows for cell in row)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _pixels(self, grid: TokenGrid) -> int:
        return grid.height * grid.width * self.model.cell**2

    def _work(
        self,
        path: str,
        body: bytes,
        pixels: int,
        check: Callable[[], None],
        *,
        headers: dict[str, str],
        **options: Any,
    ) -> httpx2.Response:
        """Send a request that may take long, and poll until its answer is there.

        If the service does not know the work any more (it was restarted, or another replica answers), the
        request is sent again.
        """
        headers = headers | {"Prefer": f"wait={POLL_SECONDS}"}
        limit = self._timeout_seconds * max(1.0, pixels / UNIT_PIXELS)
        answer = self._send("POST", path, body, headers=headers, **options)
        while answer.status_code == HTTPStatus.ACCEPTED:
            check()
            running = float(answer.json()["running_seconds"])
            if running > limit:
                raise TokenizerUnavailableError(
                    f"the tokenizer service needs more than {limit:.1f} s for {pixels} pixels"
                )
            place = answer.headers["Location"]
            try:
                answer = self._send("GET", place, headers=headers)
            except TokenizerRefusedError as error:
                if error.code != "not_found":
                    raise
                answer = self._send("POST", path, body, headers=headers, **options)
        return answer

    def _send(self, method: str, path: str, body: bytes | None = None, **options: Any) -> httpx2.Response:
        headers = {**options.pop("headers", {}), **current_headers()}
        try:
            answer = self._http.request(method, path, content=body, headers=headers, **options)
        except httpx2.TransportError as error:
            raise TokenizerUnavailableError(f"the tokenizer service does not answer: {error!r}") from error
        if answer.is_success:
            return answer
        if answer.status_code == HTTPStatus.UNAUTHORIZED:  # jobs wait until it is mended
            raise TokenizerUnavailableError("the tokenizer service does not accept TOKENIZER_SECRET")
        if answer.status_code in AWAY:
            raise TokenizerUnavailableError(f"the tokenizer service answers {answer.status_code}")
        if answer.is_server_error:
            raise TokenizerFailedError(f"the tokenizer service answers {answer.status_code}")
        raise refusal(answer)


def refusal(answer: httpx2.Response) -> TokenizerRefusedError:
    """The error of a 4xx answer. An answer without a problem document comes from a proxy."""
    try:
        problem = ProblemDocument.model_validate_json(answer.content)
    except ValidationError:
        return TokenizerRefusedError("unknown", f"the tokenizer service answers {answer.status_code}")
    return TokenizerRefusedError(problem.error.code, problem.detail)
