"""Whatever is damaged in a file, both readers give a picture or an error of their own, in bounded time."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable
from contextlib import suppress

import pytest

from shared.pictures.decoders import DecoderLimits, Decoders
from shared.pictures.errors import ImageError
from shared.pictures.mask_modes import MaskMode
from shared.pictures.opening import open_image
from shared.pictures.whitening import whiten_transparency
from tests.unit.pictures.mutations import mutated_files, originals

MOST = 4_000_000
LONGEST_SECONDS = 5


@pytest.mark.parametrize("name", originals())
def test_the_originals_are_read(name: str) -> None:
    assert min(whiten_transparency(open_image(originals()[name], MOST)).size) >= 32


def test_damaged_files_end_in_a_picture_or_an_error_of_ours_in_a_decoder() -> None:
    """What the gateway does (inspect) and what the tokenizer does (fit, mask), 312 files each.

    Found: IndexError, KeyError 'MPO' and others came out as 500. Right: nothing but an ImageError that is not
    retryable: no file makes the decoder itself fail.
    """

    async def run() -> Counter[str]:
        decoders = Decoders(DecoderLimits(cpu_seconds=LONGEST_SECONDS))
        outcomes = Counter[str]()
        try:
            for _, data in mutated_files(seed=17, rounds=4):
                for work in (
                    decoders.inspect(data, MOST),
                    decoders.fit(data, MOST, (64, 32)),
                    decoders.read_mask(data, max_pixels=MOST, size=(64, 32), cell=8, mode=MaskMode.AUTO),
                ):
                    outcomes[await outcome(work)] += 1
        finally:
            await decoders.close()
        return outcomes

    outcomes = asyncio.run(run())
    assert outcomes["read"] > 100
    assert outcomes["image_unreadable"] > 300
    assert "decoders_busy" not in outcomes


async def outcome(work: Awaitable[object]) -> str:
    """What became of it; anything but an ImageError is the test's end."""
    try:
        await work
    except ImageError as error:
        return error.code
    return "read"


def test_damaged_files_end_in_a_picture_or_an_error_of_ours_in_this_process() -> None:
    """What training and the command line do."""
    for what, data in mutated_files(seed=4, rounds=3):
        started = time.process_time()
        with suppress(ImageError):
            whiten_transparency(open_image(data, MOST))
        spent = time.process_time() - started
        assert spent < LONGEST_SECONDS, what
