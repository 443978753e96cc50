"""Quality of an image tokenizer on the scene world: reconstruction, and noise in its codes.

A transformer has to learn every bit of the codes. An empty cell carries no information if its background and
row are known, so any entropy of its codes is noise, on which a small model wastes its capacity. The
reconstruction error does not show this noise.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from training.judging.generator import CodeGrid, PictureCodec
from training.judging.metrics import psnr, ssim
from training.judging.plan import SPLITS, EvaluationPlan, SectionReport
from training.judging.recognition import recognise
from training.judging.scores import Row, exact_score, mean_score, success_score
from training.scenes.layout import draw_scene
from training.scenes.rendering import render
from training.scenes.scene import Scene


def judge_tokenizer(codec: PictureCodec, plan: EvaluationPlan) -> SectionReport:
    """Score reconstruction, recognition on reconstructions, and statistics of the codes."""
    report = SectionReport()
    for split in SPLITS:
        row = Row("tokenizer", "pictures", split)
        rng = plan.chance(row)
        scenes = [draw_scene(rng, split, cells=plan.cells) for _ in range(plan.per_row)]
        pictures = [render(scene) for scene in scenes]
        codes = codec.encode(pictures)
        decoded = codec.decode(codes)
        pairs = list(zip(decoded, pictures, strict=True))
        again = codec.encode(decoded)
        agreement = [float((a == b).mean()) for a, b in zip(codes, again, strict=True)]
        recognised = [recognise(picture) == scene for picture, scene in zip(decoded, scenes, strict=True)]
        used = len(np.unique(np.stack(codes)))
        count = len(scenes)
        report.scores += [
            mean_score(row, "psnr_db", [psnr(*pair) for pair in pairs]),
            mean_score(row, "ssim", [ssim(*pair) for pair in pairs]),
            success_score(row, recognised, "scene recognised"),
            exact_score(row, "codes used", used, count),
            exact_score(row, "codebook use", used / codec.codebook_size, count),
            exact_score(row, "nats a code", code_entropy(codes), count),
            exact_score(row, "nats an empty cell", empty_cell_entropy(codes, scenes), count),
            mean_score(row, "codes kept by decode and encode", agreement),
        ]
    return report


def code_entropy(codes: Sequence[CodeGrid]) -> float:
    """Entropy in nats of the distribution of the codes over all cells."""
    return _entropy(Counter(np.stack(codes).reshape(-1).tolist()).values())


def empty_cell_entropy(codes: Sequence[CodeGrid], scenes: Sequence[Scene]) -> float:
    """Mean entropy in nats of an empty cell's code, given its background and row."""
    groups: defaultdict[tuple[str, int], Counter[int]] = defaultdict(Counter)
    for grid, scene in zip(codes, scenes, strict=True):
        empty = _empty_cells(scene)
        for row in range(scene.cells):
            groups[scene.background, row].update(grid[row, empty[row]].tolist())
    total = sum(counter.total() for counter in groups.values())
    return sum(counter.total() * _entropy(counter.values()) for counter in groups.values()) / total


def _empty_cells(scene: Scene) -> NDArray[np.bool_]:
    """The cells that no object's box covers."""
    empty = np.ones((scene.cells, scene.cells), np.bool_)
    for item in scene.objects:
        empty[item.row : item.foot, item.column : item.column + item.size.cells] = False
    return empty


def _entropy(counts: Iterable[int]) -> float:
    """Entropy of a histogram in nats, without correction for small samples."""
    shares = np.array(list(counts), np.float64)
    shares = shares[shares > 0] / shares.sum()
    return float(-(shares * np.log(shares)).sum())
