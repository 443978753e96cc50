"""Drawings of the buildings."""

from training.world.drawing.sketch import Mask, Sketch, Tone


def _window(s: Sketch, x: float, y: float, w: float, h: float) -> None:
    s.part(s.box(x, y, x + w, y + h, 0.01), Tone.CREAM, outline=True)
    s.mark(s.box(x + 0.025, y + 0.025, x + w - 0.025, y + h - 0.025), Tone.GLASS, light=0.0)


def house(s: Sketch) -> None:
    s.stand(0.52, 0.42)
    s.part(s.box(0.68, 0.1, 0.8, 0.36, 0.01), Tone.WOOD)
    s.part(s.box(0.13, 0.42, 0.87, 0.93, 0.01))
    s.part(s.polygon((0.5, 0.05), (0.98, 0.47), (0.93, 0.53), (0.07, 0.53), (0.02, 0.47)), Tone.SLATE)
    s.part(s.box(0.55, 0.64, 0.74, 0.93, 0.02), Tone.WOOD)
    s.mark(s.disc(0.705, 0.79, 0.025), Tone.GOLD, light=0.2)
    _window(s, 0.22, 0.62, 0.23, 0.19)


def castle(s: Sketch) -> None:
    s.stand(0.52, 0.46)
    for x in (0.2, 0.8):
        s.part(s.polygon((x, 0.02), (x + 0.15, 0.07), (x, 0.12)), Tone.GOLD)
        s.part(s.stroke(((x, 0.04), (x, 0.2)), 0.02), Tone.INK, outline=False)
    s.part(_crenellated(s, 0.3, 0.7, 0.42, 4))
    s.part(_crenellated(s, 0.05, 0.35, 0.18, 3), gloss=(0.13, 0.36))
    s.part(_crenellated(s, 0.65, 0.95, 0.18, 3))
    s.part(s.box(0.4, 0.68, 0.6, 0.99, 0.1) & s.above(0.93), Tone.WOOD)
    for x in (0.2, 0.8):
        s.mark(s.box(x - 0.04, 0.4, x + 0.04, 0.54, 0.04), Tone.INK, light=0.0)


def _crenellated(s: Sketch, x0: float, x1: float, y: float, teeth: int) -> Mask:
    """A wall from x0 to x1 whose battlements begin at y."""
    wall = s.box(x0, y + 0.1, x1, 0.93)
    width = (x1 - x0) / (2 * teeth - 1)
    for tooth in range(teeth):
        left = x0 + 2 * tooth * width
        wall |= s.box(left, y, left + width, y + 0.12)
    return wall


def lighthouse(s: Sketch) -> None:
    s.stand(0.52, 0.28)
    s.part(s.oval(0.5, 0.9, 0.3, 0.06), Tone.METAL)
    tower = s.part(s.polygon((0.38, 0.32), (0.62, 0.32), (0.71, 0.9), (0.29, 0.9)))
    for top in (0.42, 0.66):
        s.mark(s.box(0.2, top, 0.8, top + 0.12) & tower, Tone.CREAM)
    s.part(s.box(0.39, 0.17, 0.61, 0.3), Tone.GOLD)
    s.mark(s.box(0.485, 0.17, 0.515, 0.3), Tone.INK, light=0.0)
    s.part(s.polygon((0.5, 0.03), (0.68, 0.18), (0.32, 0.18)), Tone.SLATE)
    s.part(s.box(0.31, 0.29, 0.69, 0.35, 0.02), Tone.SLATE)
    s.mark(s.box(0.45, 0.79, 0.55, 0.9, 0.04), Tone.WOOD, light=-0.1)


def windmill(s: Sketch) -> None:
    s.stand(0.52, 0.28)
    s.part(s.polygon((0.38, 0.36), (0.62, 0.36), (0.72, 0.93), (0.28, 0.93)), gloss=(0.4, 0.56))
    s.part(s.blob((0.34, 0.38), (0.4, 0.24), (0.5, 0.2), (0.6, 0.24), (0.66, 0.38)), Tone.SLATE)
    s.part(s.box(0.43, 0.74, 0.57, 0.99, 0.06) & s.above(0.93), Tone.WOOD)
    for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        end = (0.5 + x * 0.33, 0.36 + y * 0.3)
        side = (x * 0.02 - y * 0.1, y * 0.02 + x * 0.1)
        start = (0.5 + x * 0.09, 0.36 + y * 0.08)
        s.part(
            s.polygon(
                start, end, (end[0] + side[0], end[1] + side[1]), (start[0] + side[0], start[1] + side[1])
            ),
            Tone.CREAM,
        )
        s.line(0.03, (0.5, 0.36), end, tone=Tone.WOOD)
    s.part(s.disc(0.5, 0.36, 0.06), Tone.GOLD)


def tent(s: Sketch) -> None:
    s.stand(0.5, 0.46)
    s.part(s.stroke(((0.5, 0.05), (0.5, 0.2)), 0.03), Tone.WOOD)
    s.part(s.polygon((0.51, 0.04), (0.7, 0.1), (0.51, 0.16)), Tone.GOLD)
    cloth = s.part(
        s.blob((0.5, 0.14), (0.62, 0.36), (0.97, 0.92), (0.5, 0.935), (0.03, 0.92), (0.38, 0.36)),
        gloss=(0.35, 0.5),
    )
    s.part(
        s.blob((0.5, 0.38), (0.56, 0.56), (0.68, 0.93), (0.5, 0.935), (0.32, 0.93), (0.44, 0.56)) & cloth,
        Tone.CREAM,
    )
    s.part(s.polygon((0.5, 0.48), (0.6, 0.93), (0.4, 0.93)), Tone.INK, outline=False)
