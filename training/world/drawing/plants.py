"""Drawings of the plants."""

import math

from training.world.drawing.sketch import Sketch, Tone


def tree(s: Sketch) -> None:
    s.stand(0.52, 0.26)
    s.part(s.polygon((0.43, 0.6), (0.57, 0.6), (0.62, 0.93), (0.38, 0.93)), Tone.WOOD)
    leaves = (
        (0.5, 0.21, 0.17),
        (0.3, 0.28, 0.16),
        (0.7, 0.28, 0.16),
        (0.2, 0.46, 0.145),
        (0.8, 0.46, 0.145),
        (0.35, 0.58, 0.145),
        (0.65, 0.58, 0.145),
    )
    crown = s.disc(0.5, 0.44, 0.26)
    for leaf in leaves:
        crown |= s.disc(*leaf)
    s.part(crown, rim=0.09, gloss=(0.33, 0.22))
    for points in (
        ((0.36, 0.36), (0.42, 0.42), (0.5, 0.38)),
        ((0.56, 0.5), (0.63, 0.55), (0.7, 0.49)),
        ((0.28, 0.52), (0.34, 0.56), (0.41, 0.52)),
    ):
        s.line(0.03, *points, tone=Tone.DEEP)


def pine(s: Sketch) -> None:
    s.stand(0.52, 0.26)
    s.part(s.box(0.43, 0.76, 0.57, 0.93), Tone.WOOD)
    s.part(s.blob((0.5, 0.36), (0.88, 0.8), (0.5, 0.84), (0.12, 0.8)))
    s.part(s.blob((0.5, 0.2), (0.8, 0.58), (0.5, 0.62), (0.2, 0.58)))
    s.part(s.blob((0.5, 0.03), (0.7, 0.35), (0.5, 0.39), (0.3, 0.35)), gloss=(0.44, 0.2))


def palm(s: Sketch) -> None:
    s.stand(0.44, 0.24)
    s.part(
        s.blob((0.36, 0.93), (0.42, 0.62), (0.5, 0.36), (0.6, 0.38), (0.55, 0.62), (0.52, 0.93)), Tone.WOOD
    )
    for y in (0.54, 0.67, 0.8):
        s.line(0.03, (0.38, y + 0.02), (0.47, y + 0.05), (0.56, y), tone=Tone.OUTLINE)
    fronds = (
        ((0.54, 0.4), (0.34, 0.4), (0.1, 0.56), (0.08, 0.44), (0.26, 0.28)),
        ((0.54, 0.4), (0.76, 0.4), (0.94, 0.58), (0.97, 0.44), (0.8, 0.28)),
        ((0.54, 0.38), (0.4, 0.3), (0.14, 0.26), (0.22, 0.14), (0.44, 0.2)),
        ((0.54, 0.38), (0.7, 0.3), (0.94, 0.28), (0.86, 0.14), (0.64, 0.18)),
        ((0.56, 0.4), (0.44, 0.22), (0.5, 0.04), (0.62, 0.08), (0.66, 0.26)),
    )
    for points in fronds:
        s.part(s.blob(*points))
    s.part(s.disc(0.49, 0.42, 0.06), Tone.WOOD)
    s.part(s.disc(0.61, 0.43, 0.06), Tone.WOOD)


def cactus(s: Sketch) -> None:
    s.stand(0.52, 0.26)
    for points in (((0.4, 0.62), (0.17, 0.6), (0.16, 0.36)), ((0.6, 0.54), (0.84, 0.52), (0.85, 0.26))):
        s.part(s.stroke(points, 0.15))
    trunk = s.part(s.box(0.36, 0.1, 0.64, 0.93, 0.13), gloss=(0.44, 0.2))
    for x in (0.44, 0.54):
        s.line(0.025, (x, 0.24), (x, 0.88), within=trunk, tone=Tone.DEEP)
    s.mark(
        s.stroke(((0.22, 0.61), (0.4, 0.62)), 0.1) | s.stroke(((0.6, 0.54), (0.78, 0.53)), 0.1),
        Tone.BODY,
        light=-0.1,
    )
    for x, y in ((0.43, 0.1), (0.57, 0.1), (0.5, 0.06)):
        s.part(s.disc(x, y, 0.055), Tone.PINK)


def flower(s: Sketch) -> None:
    s.stand(0.5, 0.2)
    s.part(s.curve(0.05, (0.5, 0.45), (0.49, 0.7), (0.5, 0.93)), Tone.LEAF)
    s.part(s.oval(0.35, 0.77, 0.15, 0.07, 28), Tone.LEAF)
    s.part(s.oval(0.65, 0.73, 0.15, 0.07, -28), Tone.LEAF)
    for petal in range(6):
        angle = math.pi * (petal / 3 + 1 / 6)
        s.part(
            s.oval(
                0.5 + 0.205 * math.cos(angle), 0.33 + 0.205 * math.sin(angle), 0.14, 0.115, 60 * petal + 30
            )
        )
    s.part(s.disc(0.5, 0.33, 0.115), Tone.GOLD, gloss=(0.46, 0.29))


def mushroom(s: Sketch) -> None:
    s.stand(0.5, 0.28)
    s.part(s.blob((0.4, 0.5), (0.6, 0.5), (0.66, 0.86), (0.5, 0.94), (0.34, 0.86)), Tone.CREAM)
    cap = s.part(s.oval(0.5, 0.56, 0.44, 0.48) & s.above(0.58), gloss=(0.28, 0.28))
    for x, y, rx, ry in (
        (0.52, 0.22, 0.1, 0.08),
        (0.24, 0.45, 0.07, 0.075),
        (0.72, 0.42, 0.08, 0.08),
        (0.47, 0.45, 0.065, 0.06),
    ):
        s.mark(s.oval(x, y, rx, ry), Tone.CREAM, within=cap)
