"""The exact maps of a scene, each drawn as an RGB picture of the scene's size.

depth         inverse depth as grey, near is light: objects by their foot, the ground by its row, the sky far
segmentation  one flat colour per kind on black
edges         white edges, one pixel wide, on black
hed           soft, thick edges
pose          stick figures with joints, coloured by kind
"""

from functools import cache
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from shared.tasks import MapKind
from training.scenes.palette import SEGMENTATION
from training.scenes.rendering import Picture
from training.scenes.scene import Scene, SceneObject
from training.scenes.stamps import edge_stamp, lay, pose_stamp, silhouette, soft_edge_stamp
from training.scenes.world import CELL

_SKY_GREY = 16
_GROUND_GREY = (40, 100)
"""Grey of the ground at the horizon and at the lower border."""
_OBJECT_GREY = (110, 250)
"""Grey of objects whose foot is in the highest and in the lowest possible row."""


def render_map(scene: Scene, kind: MapKind) -> Picture:
    """The map of this kind: [side, side, 3]."""
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


def depth_map(scene: Scene) -> NDArray[np.uint8]:
    """Inverse depth [side, side], 0 far to 255 near."""
    depth = _depth_ground(scene.cells, scene.horizon).copy()
    for item in scene.objects:
        depth[item.box][silhouette(item.kind, item.size)] = object_grey(item, scene.cells)
    return depth


def edge_map(scene: Scene) -> NDArray[np.bool_]:
    """Edges of all objects where no nearer object hides them: [side, side]."""
    edges = np.zeros((scene.pixels, scene.pixels), np.bool_)
    for item in scene.objects:
        piece = edges[item.box]
        piece &= ~silhouette(item.kind, item.size)
        piece |= edge_stamp(item.kind, item.size)
    return edges


def owner_map(scene: Scene) -> NDArray[np.int8]:
    """The index of the visible object at each pixel, -1 for the background: [side, side]."""
    owners = np.full((scene.pixels, scene.pixels), -1, np.int8)
    for index, item in enumerate(scene.objects):
        owners[item.box][silhouette(item.kind, item.size)] = index
    return owners


def _segmentation(scene: Scene) -> Picture:
    picture = np.zeros((scene.pixels, scene.pixels, 3), np.uint8)
    for item in scene.objects:
        picture[item.box][silhouette(item.kind, item.size)] = SEGMENTATION[item.kind]
    return picture


def _soft_edges(scene: Scene) -> NDArray[np.uint8]:
    soft = np.zeros((scene.pixels, scene.pixels), np.uint8)
    for item in scene.objects:
        piece = soft[item.box]
        piece[silhouette(item.kind, item.size)] = 0
        np.maximum(piece, soft_edge_stamp(item.kind, item.size), out=piece)
    return soft


def _pose(scene: Scene) -> Picture:
    picture = np.zeros((scene.pixels, scene.pixels, 3), np.uint8)
    for item in scene.objects:
        lay(pose_stamp(item.kind, item.size), picture[item.box])
    return picture


def object_grey(item: SceneObject, cells: int) -> int:
    """Grey of an object in a depth map; it stands upright, so every part of it has the depth of its foot."""
    lowest, highest = _OBJECT_GREY
    return round(lowest + (highest - lowest) * (item.foot - 2) / (cells - 2))


def ground_greys(cells: int, horizon: int) -> NDArray[np.uint8]:
    """Inverse depth of the empty background in each row of cells: [cells]."""
    rows = np.full(cells, _SKY_GREY, np.uint8)
    rows[horizon:] = np.linspace(*_GROUND_GREY, cells - horizon).round()
    return rows


@cache
def _depth_ground(cells: int, horizon: int) -> NDArray[np.uint8]:
    """Inverse depth of the empty background: [side, side]."""
    rows = np.repeat(ground_greys(cells, horizon), CELL)
    ground = np.broadcast_to(rows[:, None], (cells * CELL, cells * CELL)).copy()
    ground.flags.writeable = False
    return ground


def _as_rgb(grey: NDArray[np.uint8]) -> Picture:
    return np.repeat(grey[..., None], 3, axis=2)
