"""Damaged copies of small pictures, the same for the same seed."""

import io
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from random import Random

from PIL import Image

PART = re.compile(rb"\xff[\xc0-\xfe]|....(?=[A-Za-z]{4})", re.DOTALL)
"""The beginning of a JPEG's segment, or of a chunk of the other formats."""
CASES = Path(__file__).parents[2] / "cases"


def originals() -> dict[str, bytes]:
    """One small file of each format and kind."""
    noise = Image.effect_noise((48, 32), 60)
    colour = Image.merge("RGB", [noise, noise.transpose(Image.Transpose.ROTATE_180), noise])
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = [colour.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    animated = {"save_all": True, "append_images": frames}
    return {
        "png": saved(colour, "PNG", exif=exif, icc_profile=b"\0" * 200),
        "png grey 16": (CASES / "depth_16bit" / "depth16.png").read_bytes(),
        "png palette": saved(colour.quantize(16), "PNG", transparency=3),
        "png animated": saved(colour, "PNG", **animated),
        "png alpha": saved(colour.convert("RGBA"), "PNG"),
        "jpeg": saved(colour, "JPEG", exif=exif, quality=80),
        "jpeg progressive": saved(colour, "JPEG", progressive=True),
        "jpeg cmyk": saved(colour.convert("CMYK"), "JPEG"),
        "jpeg mpo": (CASES / "mpo_jpeg" / "portrait.jpg").read_bytes(),
        "webp": saved(colour, "WEBP", quality=70, exif=exif),
        "webp lossless": saved(colour.convert("RGBA"), "WEBP", lossless=True),
        "webp animated": saved(colour, "WEBP", **animated),
        "gif": saved(colour.quantize(8), "GIF", save_all=True, append_images=[frames[0].quantize(8)]),
    }


def saved(image: Image.Image, image_format: str, **options: object) -> bytes:
    """The file's bytes."""
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def flip_bits(data: bytes, dice: Random) -> bytes:
    flipped = bytearray(data)
    for _ in range(dice.randint(1, 8)):
        flipped[dice.randrange(len(flipped))] ^= 1 << dice.randrange(8)
    return bytes(flipped)


def flip_header(data: bytes, dice: Random) -> bytes:
    return data[:4] + flip_bits(data[4:64], dice) + data[64:]


def truncate(data: bytes, dice: Random) -> bytes:
    return data[: dice.randrange(len(data))]


def shuffle_parts(data: bytes, dice: Random) -> bytes:
    """The file's chunks or segments in another order, the first one kept."""
    starts = [
        match.start() for match in re.finditer(rb"\xff[\xc0-\xfe]|....(?=[A-Za-z]{4})", data[12:], re.DOTALL)
    ]
    places = [0, *(start + 12 for start in dice.sample(starts, min(len(starts), 6))), len(data)]
    places.sort()
    parts = [data[begin:end] for begin, end in pairwise(places)]
    rest = parts[1:]
    dice.shuffle(rest)
    return parts[0] + b"".join(rest)


def repeat_part(data: bytes, dice: Random) -> bytes:
    """Some part again and again; for a JPEG its last scan."""
    begin = max(data.rfind(b"\xff\xda"), 0) if data[:2] == b"\xff\xd8" else dice.randrange(len(data))
    part = data[begin : begin + dice.randint(1, 400)]
    return data[:begin] + part * dice.randint(2, 60) + data[begin:]


def overwrite(data: bytes, dice: Random) -> bytes:
    begin = dice.randrange(len(data))
    length = dice.randint(1, 40)
    filler = dice.choice([b"\0", b"\xff", b"\x7f"]) * length
    return data[:begin] + filler + data[begin + length :]


MUTATIONS: tuple[Callable[[bytes, Random], bytes], ...] = (
    flip_bits,
    flip_header,
    truncate,
    shuffle_parts,
    repeat_part,
    overwrite,
)


def mutated_files(seed: int, rounds: int) -> Iterator[tuple[str, bytes]]:
    """Each original with each mutation, `rounds` times: what was done, and the file."""
    dice = Random(seed)  # noqa: S311
    for _ in range(rounds):
        for name, data in originals().items():
            for mutate in MUTATIONS:
                yield f"{name}, {mutate.__name__}", mutate(data, dice)
