"""Compare the MoVQGAN's latents, codes, decoded pixels and pictures."""

import re
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.parity.comparison import MOVQGAN_PIXELS, Comparison, farthest, identical, same_levels
from benchmarks.parity.fixture_set import FixtureSet
from services.tokenizer.image_codec import image_from_pixels, read_pixels
from services.tokenizer.movqgan import reproducible_convolutions

FILE = "movqgan/golden_movqgan.safetensors"
RANDOM_CODES = re.compile(r"(.*)indices_(\d+)x(\d+)")
MAX_PIXELS = 64_000_000


@torch.no_grad()
def check_movqgan(fixtures: FixtureSet) -> Iterator[Comparison]:
    """Compare encoder, quantiser and decoder on the recorded picture, and the decoder on recorded codes."""
    model, golden = fixtures.movqgan, fixtures.tensors(FILE)
    height, width = golden["prequant"].shape[2:]
    picture = golden["input"].to(fixtures.device)
    latents = golden["prequant"].to(fixtures.device)
    for key, compute in (
        ("encoder_out", lambda: model.encoder(picture)),
        ("prequant", lambda: model.encode_latents(picture)),
        ("quant", lambda: model.quantize(latents).straight_through),
    ):
        if key in golden:
            with reproducible_convolutions():
                ours = compute()
            yield farthest(FILE, key, ours, golden[key], MOVQGAN_PIXELS)
    codes = model.encode(golden["input"]).flatten().tolist()
    yield identical(FILE, "indices", codes, golden["indices"].flatten().tolist())
    yield from _decoded(fixtures, golden, "indices", "decoded", (height, width))
    for key in sorted(golden):
        if match := RANDOM_CODES.fullmatch(key):
            pixels = f"{match[1]}decoded_{match[2]}x{match[3]}"
            yield from _decoded(fixtures, golden, key, pixels, (int(match[2]), int(match[3])))
    if fixtures.has("movqgan/input.png"):
        data = fixtures.path("movqgan/input.png").read_bytes()
        side = golden["input"].shape[3], golden["input"].shape[2]
        pixels = read_pixels(data, max_pixels=MAX_PIXELS, fit=side)
        yield farthest("movqgan/input.png", "pixels in [-1, 1]", pixels, golden["input"], 1e-6)


def _decoded(
    fixtures: FixtureSet, golden: dict[str, Tensor], codes: str, pixels: str, side: tuple[int, int]
) -> Iterator[Comparison]:
    decoded = fixtures.movqgan.decode(golden[codes].reshape(1, *side))
    yield farthest(FILE, f"{pixels} of {codes}", decoded, golden[pixels], MOVQGAN_PIXELS)
    # the picture of `random_decoded_4x9` has the name decoded_random_4x9.png
    first, _, rest = pixels.partition("decoded")
    file = f"movqgan/decoded{'_' if first else ''}{first.rstrip('_')}{rest}.png"
    if fixtures.has(file):
        picture = np.asarray(image_from_pixels(decoded[0]))
        with Image.open(fixtures.path(file)) as expected:
            yield same_levels(file, "picture, levels of 255", picture, np.asarray(expected))
