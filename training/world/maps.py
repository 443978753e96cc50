"""The exact maps of a scene, each drawn as an RGB picture of the scene's size.

depth         inverse depth as grey, near is light: things by their foot, the ground by its row, the sky far
segmentation  one flat colour per kind on black
edges         white outlines, one pixel wide, on black
hed           soft, thick outlines
pose          stick figures with joints of the animals, coloured by kind; things without skeleton are left out
"""

from functools import cache
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from shared.tasks import MapKind
from training.world.landscape.easel import CELLS, HORIZON
from training.world.nouns import CELL
from training.world.palette import SEGMENTATION
from training.world.rendering import Picture
from training.world.scene import Canvas, Scene, Thing
from training.world.stamps import edge_stamp, lay, pose_stamp, silhouette, soft_edge_stamp

_SKY_GREY = 16
_GROUND_GREY = (40, 100)
"""Grey of the ground at the horizon and at the lower border of the main size."""
_THING_GREY = (110, 250)
"""Grey of things whose foot is in the highest and in the lowest possible row of the main size."""
_HIGHEST_FOOT = 2


def render_map(scene: Scene, kind: MapKind) -> Picture:
    """The map of this kind: [height, width, 3]."""
    match kind:
        case MapKind.DEPTH:
            return _as_rgb(depth_map(scene))
        case MapKind.SEGMENTATION:
            return _segmentation(scene)
        case MapKind.EDGES:
            return _as_rgb(np.where(edge_map(scene), np.uint8(255), np.uint8(0)))
        case MapKind.HED:
            return _as_rgb(_soft_edges(scene))
        case MapKind.POSE:
            return _pose(scene)
    assert_never(kind)


def shown_in(scene: Scene, kind: MapKind | None) -> tuple[Thing, ...]:
    """The things that a map of this kind shows; None stands for the picture itself."""
    if kind is MapKind.POSE:
        return tuple(item for item in scene.things if item.kind.is_animal)
    return scene.things


def depth_map(scene: Scene) -> NDArray[np.uint8]:
    """Inverse depth [height, width], 0 far to 255 near."""
    depth = _depth_ground(scene.canvas).copy()
    for item in scene.things:
        depth[item.box][silhouette(item.kind, item.size)] = thing_grey(item.foot)
    return depth


def edge_map(scene: Scene) -> NDArray[np.bool_]:
    """Outlines of all things where no nearer thing hides them: [height, width]."""
    edges = np.zeros(scene.canvas.pixels, np.bool_)
    for item in scene.things:
        piece = edges[item.box]
        piece &= ~silhouette(item.kind, item.size)
        piece |= edge_stamp(item.kind, item.size)
    return edges


def owner_map(scene: Scene) -> NDArray[np.int8]:
    """The index of the visible thing at each pixel, -1 for the landscape: [height, width]."""
    owners = np.full(scene.canvas.pixels, -1, np.int8)
    for index, item in enumerate(scene.things):
        owners[item.box][silhouette(item.kind, item.size)] = index
    return owners


def thing_grey(foot: int) -> int:
    """Grey of a thing in a depth map; it stands upright, so every part of it has the depth of its foot."""
    lowest, highest = _THING_GREY
    return round(lowest + (highest - lowest) * (foot - _HIGHEST_FOOT) / (CELLS - _HIGHEST_FOOT))


@cache
def ground_greys() -> tuple[int, ...]:
    """Inverse depth of the empty ground in each row of cells of the main size."""
    ground = np.linspace(*_GROUND_GREY, CELLS - HORIZON).round().astype(int)
    return (*[_SKY_GREY] * HORIZON, *ground.tolist())


def feet() -> range:
    """All rows that a thing's foot can be in."""
    return range(_HIGHEST_FOOT, CELLS + 1)


@cache
def _depth_ground(canvas: Canvas) -> NDArray[np.uint8]:
    rows = np.repeat(np.array(ground_greys()[: canvas.rows], np.uint8), CELL)
    ground = np.broadcast_to(rows[:, None], canvas.pixels).copy()
    ground.flags.writeable = False
    return ground


def _segmentation(scene: Scene) -> Picture:
    picture = np.zeros((*scene.canvas.pixels, 3), np.uint8)
    for item in scene.things:
        picture[item.box][silhouette(item.kind, item.size)] = SEGMENTATION[item.kind]
    return picture


def _soft_edges(scene: Scene) -> NDArray[np.uint8]:
    soft = np.zeros(scene.canvas.pixels, np.uint8)
    for item in scene.things:
        piece = soft[item.box]
        piece[silhouette(item.kind, item.size)] = 0
        np.maximum(piece, soft_edge_stamp(item.kind, item.size), out=piece)
    return soft


def _pose(scene: Scene) -> Picture:
    picture = np.zeros((*scene.canvas.pixels, 3), np.uint8)
    for item in shown_in(scene, MapKind.POSE):
        lay(pose_stamp(item.kind, item.size), picture[item.box])
    return picture


def _as_rgb(grey: NDArray[np.uint8]) -> Picture:
    return np.repeat(grey[..., None], 3, axis=2)
