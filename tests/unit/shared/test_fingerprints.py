"""Pictures are found by parts of their codes, and unrelated pictures are not."""

import io
import math
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from shared.fingerprints import RUNS, RUNS_ASKED, best_overlap, kept_runs, log_tail, pixels_hash
from shared.token_grid import TokenGrid

SIDE, CODES = 64, 16_384


def grid(codes: NDArray[np.int64]) -> TokenGrid:
    return TokenGrid(codes.shape[0], codes.shape[1], tuple(codes.ravel().tolist()))


def codes(seed: int, height: int = SIDE, width: int = SIDE) -> NDArray[np.int64]:
    """Codes of which few are frequent, as in pictures."""
    return np.minimum(np.random.default_rng(seed).zipf(1.3, (height, width)), CODES - 1)


def png(picture: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def test_text_in_a_png_does_not_change_its_hash_and_one_pixel_does() -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (16, 16, 3), np.uint8)
    plain = png(pixels)
    data = b"tEXtSoftware\0Luminary"
    text = struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    assert pixels_hash(plain) == pixels_hash(plain[:33] + text + plain[33:])
    pixels[3, 3, 0] ^= 1
    assert pixels_hash(plain) != pixels_hash(png(pixels))


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_have_a_hash(rest: bytes, is_png: bool) -> None:
    assert len(pixels_hash(b"\x89PNG\r\n\x1a\n" + rest if is_png else rest)) == 32


def test_a_part_with_half_of_its_codes_changed_shares_runs_and_lies_where_it_was() -> None:
    whole, rng = codes(1), np.random.default_rng(2)
    part = whole[8:56, 16:64].copy()
    changed = rng.random(part.shape) < 0.5
    part[changed] = codes(3, *part.shape)[changed]
    assert set(kept_runs(grid(part), RUNS_ASKED)) & set(kept_runs(grid(whole)))
    overlap = best_overlap(grid(part), grid(whole))
    assert overlap is not None
    assert (overlap.row, overlap.column, overlap.cells) == (8, 16, part.size)
    assert overlap.log_p < math.log(1e-100)


@pytest.mark.parametrize("seed", range(20))
def test_other_pictures_match_as_chance_explains(seed: int) -> None:
    overlap = best_overlap(grid(codes(2 * seed + 100)), grid(codes(2 * seed + 101)))
    assert overlap is None or overlap.log_p > math.log(1e-6)


def test_pictures_of_plain_areas_match_nothing() -> None:
    """Equal skies say nothing: the codes of a row in any order would match as well."""
    sky = grid(np.repeat(np.arange(SIDE)[:, None], SIDE, axis=1))
    assert kept_runs(sky) == []
    overlap = best_overlap(sky, sky)
    assert overlap is not None
    assert overlap.log_p == 0.0


def test_a_fingerprint_is_bounded() -> None:
    runs = kept_runs(grid(codes(1, 256, 256)))
    assert len(runs) == RUNS
    assert all(0 <= run < 2**31 for run in runs)
    assert kept_runs(TokenGrid(4, 2, tuple(range(8)))) == []


def test_the_bound_holds() -> None:
    """Chernoff's bound is above the exact tail of a binomial."""
    for matching in range(30, 100, 7):
        exact = sum(math.comb(100, hits) * 0.25**hits * 0.75 ** (100 - hits) for hits in range(matching, 101))
        assert math.log(exact) <= log_tail(100, matching, 0.25)
    assert log_tail(100, 25, 0.25) == log_tail(100, 0, 0.0) == 0.0
    assert log_tail(100, 1, 0.0) == -math.inf
