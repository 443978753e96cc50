"""Measure how often each layer of provenance finds changed pictures, and others by mistake.

    python -m benchmarks.provenance --model models/tiny --pictures 24

Pictures of the model are drawn with a noise secret, changed, encoded again, and searched for in a registry of
half of them. Then codes of the size of the published models (96x96 of 16,384) are drawn from random scores; a
change of the picture is there a share of codes that stays.
"""

import io
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import numpy as np
import torch
from PIL import Image

from luminary.local.pipeline import LocalPipeline, drawn_grid
from services.tokenizer.image_codec import decode_grids, encode_pixels, pixels_from_image, write_png
from services.tokenizer.watermark import Place, WatermarkDetector, layouts
from services.worker.engine.layout.prompts import PictureRequest
from services.worker.engine.request import GenerationRequest
from services.worker.engine.sampling.filters import SamplingParameters
from services.worker.engine.sampling.noise import gumbel_noise
from shared.fingerprints import RUNS_ASKED, best_overlap, fingerprint, kept_runs
from shared.noise_keys import NoiseSecret, position_key
from shared.tasks import Task
from shared.token_grid import TokenGrid
from training.scenes import sample_example

SECRET = NoiseSecret.from_text("the secret of this benchmark")
LIMIT = math.log(1e-4)
"""As in the gateway: evidence with a greater probability is not shown."""
SIDE, CODES = 96, 16_384
Change = Callable[[Image.Image], Image.Image]


def jpeg(quality: int) -> Change:
    """Encoding as JPEG and decoding."""

    def change(picture: Image.Image) -> Image.Image:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality)
        return Image.open(file).convert("RGB")

    return change


def scaled(factor: float) -> Change:
    """Another size and back, as the check does with pictures of another size."""

    def change(picture: Image.Image) -> Image.Image:
        size = (round(picture.width * factor), round(picture.height * factor))
        return picture.resize(size, Image.Resampling.BICUBIC).resize(picture.size, Image.Resampling.BICUBIC)

    return change


def screenshot(picture: Image.Image) -> Image.Image:
    """Shown at 1.5 times its size on a screen, and saved as JPEG."""
    return jpeg(85)(scaled(1.5)(picture))


CHANGES: dict[str, Change] = {
    "stripped": lambda picture: picture,
    "JPEG 90": jpeg(90),
    "JPEG 75": jpeg(75),
    "half size": scaled(0.5),
    "screenshot": screenshot,
    "crop to cells": lambda picture: picture.crop((8, 8, picture.width, picture.height)),
    "crop by 3 pixels": lambda picture: picture.crop((3, 3, picture.width - 5, picture.height - 5)),
}


def in_registry(grid: TokenGrid, registry: Sequence[TokenGrid]) -> tuple[int, float]:
    """Index of the best match and the logarithm of its p-value, as in the gateway; -1 without a match."""
    asked, best = set(kept_runs(grid, RUNS_ASKED)), (-1, 0.0)
    for index, drawn in enumerate(registry):
        if grid == drawn:
            return index, -math.inf
        if asked.isdisjoint(kept_runs(drawn)) or (overlap := best_overlap(grid, drawn)) is None:
            continue
        whole = (grid.height, grid.width, 0, 0) == (drawn.height, drawn.width, overlap.row, overlap.column)
        ways = 1 if whole else (grid.height + drawn.height - 1) * (grid.width + drawn.width - 1)
        log_p = overlap.log_p + math.log(2 * ways * len(registry))
        best = min(best, (index, log_p), key=lambda one: one[1])
    return best


def draw_pictures(pipeline: LocalPipeline, count: int) -> list[TokenGrid]:
    """Codes of `count` pictures of prompts of the scene world; the seed is the index."""
    rng = np.random.default_rng(5)
    guidance = pipeline.loaded.default_guidance_scale
    handles = [
        pipeline.engine.submit(
            GenerationRequest(
                pipeline.plan(
                    PictureRequest(
                        Task.TEXT_TO_IMAGE,
                        sample_example(rng, Task.TEXT_TO_IMAGE).prompt,
                        pipeline.default_size,
                    )
                ),
                SamplingParameters(seed=seed, guidance_scale=guidance),
            )
        )
        for seed in range(count)
    ]
    pipeline.engine.run_until_idle()
    return [drawn_grid(handle) for handle in handles]


def measure_model(folder: Path, count: int) -> None:
    """Print the table of a model: half of its pictures are in the registry, the others are unrelated."""
    pipeline = LocalPipeline.load(folder, noise_secret=SECRET)
    grids = draw_pictures(pipeline, 2 * count)
    pictures = decode_grids(pipeline.movqgan, grids)
    registry, detector = grids[:count], WatermarkDetector(SECRET)
    click.echo("| change | equal codes | registry finds | by mistake | noise of the job confirmed |")
    click.echo("|---|---:|---:|---:|---:|")
    for name, change in CHANGES.items():
        codes = [encode_pixels(pipeline.movqgan, pixels_from_image(change(one)))[0] for one in pictures]
        found = [in_registry(grid, registry) for grid in codes]
        hits = sum(found[index][0] == index and found[index][1] <= LIMIT for index in range(count))
        wrong = sum(
            found[index][1] <= LIMIT and codes[index] not in registry for index in range(count, 2 * count)
        )
        whole = all(grid.width == drawn.width for grid, drawn in zip(codes, grids, strict=True))
        equal, noise = "\u2013", "\u2013"
        if whole:
            pairs = zip(codes, grids, strict=True)
            equal = f"{np.mean([np.mean(np.equal(a.tokens, b.tokens)) for a, b in pairs]):.2f}"
            places = [Place(grid.height, grid.width) for grid in codes]
            evidence = [
                detector.confirm(grid, seed, 0, place).log_p
                for seed, (grid, place) in enumerate(zip(codes, places, strict=True))
            ]
            noise = f"{sum(log_p <= LIMIT for log_p in evidence)}/{2 * count}"
        click.echo(f"| {name} | {equal} | {hits}/{count} | {wrong}/{count} | {noise} |")


def simulated(seed: int, spread: float) -> tuple[TokenGrid, float]:
    """Codes drawn from random scores with this spread, and their mean entropy in nats."""
    positions, rng = layouts(SIDE, SIDE)[0], torch.Generator().manual_seed(seed)
    codes: list[int] = []
    entropies: list[float] = []
    for start in range(0, len(positions), 512):
        part = [int(position) for position in positions[start : start + 512]]
        scores = torch.randn(len(part), CODES, generator=rng) * spread
        noise = gumbel_noise(seed, 0, part, torch.arange(CODES), SECRET)
        codes += (scores + noise).argmax(1).tolist()
        entropies.append(float(torch.distributions.Categorical(logits=scores).entropy().mean()))
    return TokenGrid(SIDE, SIDE, tuple(codes)), float(np.mean(entropies))


def with_share(grid: TokenGrid, share: float, seed: int) -> TokenGrid:
    """The grid with only this share of its codes; the others are random."""
    rng = np.random.default_rng(seed)
    codes = np.array(grid.tokens)
    lost = rng.random(len(codes)) >= share
    codes[lost] = rng.integers(0, CODES, lost.sum())
    return TokenGrid(grid.height, grid.width, tuple(codes.tolist()))


def measure_simulation(count: int) -> None:
    """Print the table of simulated codes."""
    detector = WatermarkDetector(SECRET)
    click.echo(
        "| nats a code | codes that stay | registry finds | seed found among 2^20 | log10 of p, noise |"
    )
    click.echo("|---:|---:|---:|---:|---:|")
    for spread in (3.0, 4.5, 6.0):
        drawn = [simulated(1000 * (index + 1) + int(spread * 10), spread) for index in range(count)]
        registry = [grid for grid, _ in drawn]
        for share in (0.46, 0.10, 0.03):
            changed = [with_share(grid, share, index) for index, grid in enumerate(registry)]
            found = [in_registry(grid, registry) for grid in changed]
            hits = sum(one == index and log_p <= LIMIT for index, (one, log_p) in enumerate(found))
            evidence = [detector.detect(grid) for grid in changed]
            seeds = sum(one.log_p <= LIMIT for one in evidence)
            known = [
                detector.confirm(grid, 1000 * (index + 1) + int(spread * 10), 0, Place(SIDE, SIDE)).log_p
                for index, grid in enumerate(changed)
            ]
            nats, p = np.mean([entropy for _, entropy in drawn]), np.median(known) / math.log(10)
            click.echo(f"| {nats:.1f} | {share:.2f} | {hits}/{count} | {seeds}/{count} | {p:.0f} |")
    rng = np.random.default_rng(9)
    others = [
        TokenGrid(SIDE, SIDE, tuple(rng.integers(0, CODES, SIDE * SIDE).tolist())) for _ in range(count)
    ]
    wrong = sum(detector.detect(grid).log_p <= LIMIT for grid in others)
    click.echo(f"\nUnrelated codes with noise found: {wrong}/{count}")


def measure_costs() -> None:
    """Print what the registry and the secret cost for a picture of 768x768 pixels."""
    rng = np.random.default_rng(1)
    grid = TokenGrid(SIDE, SIDE, tuple(rng.integers(0, CODES, SIDE * SIDE).tolist()))
    png = write_png(Image.fromarray(rng.integers(0, 255, (768, 768, 3), np.uint8)))
    times = [seconds(lambda: fingerprint(png, grid)) for _ in range(9)]
    click.echo(f"Fingerprint: {1000 * np.median(times):.1f} ms")
    for name, secret in (("without", None), ("with", SECRET)):
        keys = [
            seconds(lambda secret=secret: [position_key(7, 0, p, secret) for p in range(9216)])
            for _ in range(9)
        ]
        click.echo(f"Noise keys of 9,216 positions {name} a secret: {1000 * np.median(keys):.1f} ms")


def seconds(call: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


@click.command()
@click.option(
    "--model", type=click.Path(exists=True, path_type=Path), default="models/tiny", show_default=True
)
@click.option("--pictures", type=click.IntRange(min=1), default=24, show_default=True)
@click.option("--simulated", "simulations", type=click.IntRange(min=0), default=4, show_default=True)
def main(*, model: Path, pictures: int, simulations: int) -> None:
    """Measure the layers and print Markdown tables."""
    measure_costs()
    measure_model(model, pictures)
    if simulations:
        measure_simulation(simulations)


if __name__ == "__main__":
    main()
