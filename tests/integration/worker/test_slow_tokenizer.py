"""Decoding that takes longer than every timeout of the worker."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import httpx2
import pytest

from services.tokenizer.app import create_app
from services.tokenizer.settings import TokenizerServiceSettings
from services.worker.tokenizer_client import TokenizerClient, TokenizerUnavailableError
from shared.jobs import JobState, Phase
from shared.settings import TokenizerAddress
from shared.token_grid import TokenGrid
from tests.support.models.random_models import SLOW_MOVQGAN, write_movqgan
from tests.support.platforms.platform import PlatformUnderTest, eventually, serve

TIMEOUT_SECONDS = 0.5
CODES = 256
"""Codes of a picture of 128x128 pixels."""
DECODES = "luminary_tokenizer_batch_size_sum"


@dataclass(frozen=True)
class SlowTokenizer:
    """A tokenizer service whose model starts with the next picture only after `may_start` is set."""

    url: str
    may_start: Event


@pytest.fixture
def slow_tokenizer(tmp_path: Path) -> Iterator[SlowTokenizer]:
    folder = write_movqgan(tmp_path / "movqgan", SLOW_MOVQGAN)
    app = create_app(TokenizerServiceSettings(model=str(folder), device="cpu"))
    may_start = Event()
    app.state.service._model_thread.submit(may_start.wait)
    with serve(app) as url:
        yield SlowTokenizer(url, may_start)
        may_start.set()


def decodes(url: str) -> float:
    """Number of pictures that the model has decoded."""
    lines = httpx2.get(f"{url}/metrics").text.splitlines()
    counts = [line for line in lines if line.startswith(f'{DECODES}{{direction="decode"}}')]
    return sum(float(line.split()[-1]) for line in counts)


def test_a_decode_slower_than_every_timeout_gives_a_picture_and_runs_once(
    platform: PlatformUnderTest, slow_tokenizer: SlowTokenizer
) -> None:
    """Fixed bug: each retry of a slow decode started new work, which waited behind the one before it.

    A job whose drawing was complete could fail because of that.
    """
    slow = platform.settings.model_copy(update={"tokenizer": TokenizerAddress(url=slow_tokenizer.url)})
    there = PlatformUnderTest(slow, platform.model, platform.database, platform.storage, platform.project_id)
    with there.working(tokenizer_timeout_seconds=TIMEOUT_SECONDS, patience_seconds=TIMEOUT_SECONDS):
        job_id = there.ask(size="128x128")
        eventually(lambda: there.job(job_id).interruptions > 0, "an attempt that gives up waiting")
        slow_tokenizer.may_start.set()
        job = there.finished(job_id)
    assert (job.state, job.failures) == (JobState.SUCCEEDED, 0)
    assert len(there.outputs(job.id)) == 1
    assert decodes(slow_tokenizer.url) == 1


def test_the_time_left_of_a_workers_first_job_includes_decoding(
    platform: PlatformUnderTest, slow_tokenizer: SlowTokenizer
) -> None:
    """Fixed bug: until a worker had decoded a picture, the estimated time did not include decoding."""
    slow = platform.settings.model_copy(update={"tokenizer": TokenizerAddress(url=slow_tokenizer.url)})
    there = PlatformUnderTest(slow, platform.model, platform.database, platform.storage, platform.project_id)
    with there.working():
        job_id = there.ask(size="128x128")
        eventually(lambda: there.job(job_id).phase == Phase.DECODING, "the decoding")
        decoding = there.job(job_id)
        slow_tokenizer.may_start.set()
        there.finished(job_id)
    per_code = httpx2.get(f"{slow_tokenizer.url}/v1/model").json()["decode_seconds_per_code"]
    assert decoding.eta_seconds is not None
    assert decoding.eta_seconds > 0.5 * CODES * per_code


def test_a_retry_joins_the_work_of_a_client_that_has_given_up(slow_tokenizer: SlowTokenizer) -> None:
    grid = TokenGrid(16, 16, tuple(range(CODES)))
    settings = TokenizerAddress(url=slow_tokenizer.url)
    hasty = TokenizerClient(settings, TIMEOUT_SECONDS)
    with pytest.raises(TokenizerUnavailableError, match=r"needs more than [\d.]+ s for 16384 pixels"):
        hasty.decode(grid)
    hasty.close()
    slow_tokenizer.may_start.set()
    patient = TokenizerClient(settings, 600.0)
    first, again = patient.decode(grid), patient.decode(grid)
    assert first == again
    assert decodes(slow_tokenizer.url) == 1
    patient.close()


class LeftError(Exception):
    """Raised by `check` to end a wait."""


def test_a_wait_for_a_picture_ends_soon_after_its_check_raises(
    slow_tokenizer: SlowTokenizer,
) -> None:
    client = TokenizerClient(TokenizerAddress(url=slow_tokenizer.url), 600.0)
    looks: list[int] = []

    def leave() -> None:
        looks.append(1)
        raise LeftError

    with pytest.raises(LeftError):
        client.decode(TokenGrid(16, 16, tuple(range(CODES))), leave)
    assert looks == [1]
    assert decodes(slow_tokenizer.url) == 0
    slow_tokenizer.may_start.set()
    eventually(lambda: decodes(slow_tokenizer.url) == 1, "the end of the work")
    client.close()
