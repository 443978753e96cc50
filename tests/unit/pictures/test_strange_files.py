"""Files that real programs write and that a plain call of Pillow reads wrongly or not at all."""

import io
import struct
import time
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.pictures.deep_grey import to_eight_bits
from shared.pictures.errors import ImageTooComplexError, ImageUnreadableError
from shared.pictures.formats import PICTURE_SUFFIXES, find_format, is_picture_name
from shared.pictures.opening import inspect_picture, open_image
from shared.pictures.scans import MOST_SCANS, count_scans
from shared.pictures.whitening import whiten_transparency

CASES = Path(__file__).parents[2] / "cases"
LIMIT = 1_000_000


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    size: tuple[int, int], bits: int, colour: int, row: bytes, *, transparent: bytes = b"", after: bytes = b""
) -> bytes:
    """A PNG of one row; `after` stands behind its pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, bits, colour, 0, 0, 0))
    level = chunk(b"tRNS", transparent) if transparent else b""
    pixels = chunk(b"IDAT", zlib.compress(b"\0" + row))
    return b"\x89PNG\r\n\x1a\n" + header + level + pixels + after + chunk(b"IEND", b"")


def progressive_jpeg(repeated_scans: int = 0) -> bytes:
    """A progressive JPEG whose last scan is written again and again."""
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 60).convert("RGB").save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * repeated_scans + data[-2:]


def test_a_phone_s_jpeg_with_a_second_picture_is_a_jpeg_and_its_first_picture_counts() -> None:
    """Found: KeyError 'MPO', 500 in the gateway. Right: image/jpeg of 256x192."""
    facts = inspect_picture((CASES / "mpo_jpeg" / "portrait.jpg").read_bytes(), LIMIT)
    assert (facts.media_type, facts.width, facts.height) == ("image/jpeg", 256, 192)


@pytest.mark.parametrize("kind", b"iCCP tEXt zTXt iTXt pHYs gAMA cHRM eXIf tRNS".split())
@pytest.mark.parametrize("body", [b"", b"\0", b"abc\0\0\1"])
def test_a_broken_chunk_behind_the_pixels_is_read_or_refused_by_an_error_of_ours(
    kind: bytes, body: bytes
) -> None:
    """Found: IndexError (500) for an empty iCCP behind the pixels. Right: image_unreadable, or a picture."""
    data = png((1, 1), 8, 0, b"\x05", after=chunk(kind, body))
    with suppress(ImageUnreadableError):
        assert open_image(data, LIMIT).size == (1, 1)


def test_an_empty_icc_profile_behind_the_pixels_is_unreadable() -> None:
    """Found: IndexError. Right: image_unreadable."""
    with pytest.raises(ImageUnreadableError):
        open_image(png((1, 1), 8, 0, b"\x05", after=chunk(b"iCCP", b"")), LIMIT)


def test_a_depth_map_of_sixteen_bits_is_the_same_as_one_of_eight() -> None:
    """Found: the 16-bit map is read as pure white. Right: value / 257, which equals the 8-bit map."""
    deep, flat = ((CASES / "depth_16bit" / name).read_bytes() for name in ("depth16.png", "depth8.png"))
    assert whiten_transparency(open_image(deep, LIMIT)).tobytes() == (
        whiten_transparency(open_image(flat, LIMIT)).tobytes()
    )


@pytest.mark.parametrize(
    ("mode", "kind", "levels", "expected"),
    [
        ("I;16", "<u2", [0, 257, 65_535], [0, 1, 255]),
        ("I;16B", ">u2", [0, 257, 65_535], [0, 1, 255]),
        ("I;16L", "<u2", [0, 32_896, 65_535], [0, 128, 255]),
        ("I", "=i4", [-5, 257, 65_535], [0, 1, 255]),
        ("I", "=i4", [0, 2**30, 2**31 - 1], [0, 128, 255]),
        ("F", "=f4", [-1.0, 0.5, 1.0], [0, 128, 255]),
        ("F", "=f4", [0.0, 100.0, 255.0], [0, 100, 255]),
        ("F", "=f4", [float("nan"), 257.0, 65_535.0], [0, 1, 255]),
    ],
)
def test_deep_grey_is_scaled_by_the_range_of_its_mode(
    mode: str, kind: str, levels: list[float], expected: list[int]
) -> None:
    """Found: everything above 255 is white. Right: the mode's white is white."""
    image = Image.frombytes(mode, (3, 1), np.array(levels, kind).tobytes())
    assert list(to_eight_bits(image).tobytes()) == expected


@pytest.mark.parametrize(
    ("bits", "colour", "row", "transparent"),
    [
        (16, 0, struct.pack(">HH", 300, 65_535), struct.pack(">H", 300)),
        (16, 2, struct.pack(">6H", 300, 300, 300, 0, 0, 0), struct.pack(">3H", 300, 300, 300)),
        (8, 0, bytes([1, 255]), struct.pack(">H", 1)),
        (8, 2, bytes([1, 2, 3, 0, 0, 0]), struct.pack(">3H", 1, 2, 3)),
        (4, 0, bytes([0x1F]), struct.pack(">H", 1)),
        (2, 0, bytes([0b01110000]), struct.pack(">H", 1)),
        (1, 0, bytes([0b01000000]), struct.pack(">H", 0)),
    ],
)
def test_the_transparent_level_of_a_png_is_white_at_every_depth(
    bits: int, colour: int, row: bytes, transparent: bytes
) -> None:
    """Found: at 2, 4 and 16 bits the level was compared without its scale, and nothing was transparent."""
    image = whiten_transparency(open_image(png((2, 1), bits, colour, row, transparent=transparent), LIMIT))
    assert image.getpixel((0, 0)) == (255, 255, 255)
    assert image.getpixel((1, 0)) != (255, 255, 255) or colour == 0


def test_a_cmyk_jpeg_and_a_one_bit_png_have_their_colours() -> None:
    for mode, image_format in (("CMYK", "JPEG"), ("1", "PNG"), ("P", "PNG"), ("LA", "PNG")):
        buffer = io.BytesIO()
        Image.new("RGB", (16, 16), "white").convert(mode).save(buffer, image_format)
        assert whiten_transparency(open_image(buffer.getvalue(), LIMIT)).getpixel((3, 3)) == (255, 255, 255)


def test_an_ordinary_progressive_jpeg_has_a_few_scans() -> None:
    assert 6 <= count_scans(progressive_jpeg()) <= 12
    assert open_image(progressive_jpeg(), LIMIT).size == (64, 64)


def test_scans_are_counted_in_the_first_picture_alone() -> None:
    assert count_scans((CASES / "mpo_jpeg" / "portrait.jpg").read_bytes()) == 1


def test_a_jpeg_that_repeats_its_last_scan_is_refused_before_it_is_decoded() -> None:
    """Found: 25 ms of decoding for each 59 bytes. Right: refused for its scans, at once."""
    assert count_scans(progressive_jpeg(20)) > 20
    with pytest.raises(ImageTooComplexError, match=f"more than {MOST_SCANS} scans"):
        open_image(progressive_jpeg(1000), LIMIT)


@pytest.mark.parametrize("filler", [b"\xff", b"\xff\x00", b"\xff\xd0", b"\xff\x01"])
def test_counting_takes_linear_time_for_any_bytes(filler: bytes) -> None:
    started = time.process_time()
    assert count_scans(b"\xff\xd8" + filler * (8_000_000 // len(filler)) + b"\x00") == 0
    assert time.process_time() - started < 8


def test_names_and_bytes_of_formats() -> None:
    assert {".png", ".jpg", ".jpeg", ".jfif", ".webp", ".gif"} <= set(PICTURE_SUFFIXES)
    assert is_picture_name(Path("A.JFIF"))
    assert not is_picture_name(Path("a.bmp"))
    assert find_format(b"RIFF\0\0\0\0WAVE") is None


def test_whitening_a_large_picture_takes_little_more_memory_than_its_pixels() -> None:
    """Bands give the very levels that the whole gives."""
    generator = np.random.default_rng(1)
    pixels = generator.integers(0, 256, (150, 40, 4), dtype=np.uint8)
    alpha = pixels[:, :, 3:] / 255.0
    whole = ((1 - alpha) * 255 + alpha * pixels[:, :, :3]).astype(np.uint8)
    assert np.array_equal(np.asarray(whiten_transparency(Image.fromarray(pixels))), whole)
