"""Gaussian blur and Canny's edge detector in numpy, for small pictures."""

import math

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.floating]

_SMOOTHING = 0.6
"""Standard deviation in pixels; it suppresses noise and keeps details two pixels apart separate."""

_LOW, _HIGH = 14.0, 34.0
"""Hysteresis thresholds in grey levels per pixel."""


def blur(picture: NDArray[np.float32] | NDArray[np.uint8], sigma: float) -> NDArray[np.float32]:
    """Gaussian blur of the first two axes; border pixels are repeated outwards."""
    radius = max(1, math.ceil(3 * sigma))
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2).astype(np.float32)
    taps /= taps.sum()
    result = picture.astype(np.float32)
    for axis in (0, 1):
        widths = [(0, 0)] * result.ndim
        widths[axis] = (radius, radius)
        padded = np.pad(result, widths, mode="edge")
        length = result.shape[axis]
        shifted = (
            tap * np.take(padded, range(start, start + length), axis) for start, tap in enumerate(taps)
        )
        result = np.sum(list(shifted), axis=0)
    return result


def canny(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Edges one pixel wide: [H, W] of a picture [H, W, 3]. Source: Canny, PAMI 1986.

    Each pixel uses its strongest channel, so that there are edges between colours of equal brightness.
    """
    down, right = _strongest_gradient(blur(picture, _SMOOTHING))
    strength = np.hypot(down, right)
    thin = strength * _is_ridge(strength, down, right)
    return _connected(thin >= _HIGH, thin >= _LOW)


def near(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask grown by one pixel in all eight directions."""
    height, width = mask.shape
    padded = np.pad(mask, 1)
    result = np.zeros_like(mask)
    for down in range(3):
        for side in range(3):
            result |= padded[down : down + height, side : side + width]
    return result


def _strongest_gradient(picture: Plane) -> tuple[Plane, Plane]:
    """Central differences downwards and to the right, of the channel with the larger gradient."""
    padded = np.pad(picture, ((1, 1), (1, 1), (0, 0)), mode="edge")
    down = (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2
    right = (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2
    channel = np.argmax(down**2 + right**2, axis=2)
    rows, columns = np.ogrid[: channel.shape[0], : channel.shape[1]]
    return down[rows, columns, channel], right[rows, columns, channel]


def _is_ridge(strength: Plane, down: Plane, right: Plane) -> NDArray[np.bool_]:
    """Pixels whose gradient is at least as strong as at both neighbours along the gradient's direction."""
    height, width = strength.shape
    padded = np.pad(strength, 1)

    def neighbour(row: int, column: int) -> Plane:
        return padded[1 + row : 1 + row + height, 1 + column : 1 + column + width]

    octant = np.round(np.arctan2(down, right) / (np.pi / 4)).astype(int) % 4
    ridge = np.zeros(strength.shape, np.bool_)
    for direction, (row, column) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        ahead, behind = neighbour(row, column), neighbour(-row, -column)
        ridge |= (octant == direction) & (strength >= ahead) & (strength > behind)
    return ridge


def _connected(seeds: NDArray[np.bool_], allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """All allowed pixels that are connected to a seed through allowed pixels."""
    reached = seeds
    while True:
        spread = near(reached) & allowed
        if np.array_equal(spread, reached):
            return reached
        reached = spread
