"""Drawings of the vehicles."""

from training.world.drawing.sketch import Sketch, Tone


def _wheel(s: Sketch, x: float, y: float, r: float) -> None:
    s.part(s.disc(x, y, r), Tone.INK)
    s.mark(s.disc(x, y, r * 0.48), Tone.METAL, light=0.1)


def car(s: Sketch) -> None:
    s.stand(0.5, 0.44)
    s.part(s.blob((0.2, 0.54), (0.3, 0.28), (0.48, 0.22), (0.66, 0.28), (0.82, 0.54)))
    s.mark(s.polygon((0.27, 0.52), (0.34, 0.32), (0.46, 0.29), (0.46, 0.52)), Tone.GLASS)
    s.mark(s.polygon((0.53, 0.52), (0.53, 0.29), (0.63, 0.32), (0.74, 0.52)), Tone.GLASS)
    s.part(
        s.blob(
            (0.04, 0.62),
            (0.12, 0.5),
            (0.5, 0.49),
            (0.88, 0.51),
            (0.96, 0.64),
            (0.94, 0.8),
            (0.5, 0.82),
            (0.06, 0.8),
        ),
        gloss=(0.18, 0.57),
    )
    s.mark(s.oval(0.09, 0.63, 0.045, 0.045), Tone.GOLD, light=0.2)
    s.line(0.022, (0.5, 0.53), (0.5, 0.76))
    for x in (0.27, 0.74):
        _wheel(s, x, 0.8, 0.135)


def bus(s: Sketch) -> None:
    s.stand(0.5, 0.46)
    s.part(s.box(0.04, 0.2, 0.96, 0.82, 0.1), gloss=(0.13, 0.26))
    for x in (0.1, 0.32, 0.54, 0.76):
        s.mark(s.box(x, 0.31, x + 0.15, 0.51, 0.03), Tone.GLASS, light=0.1)
    s.mark(s.box(0.04, 0.6, 0.96, 0.67), Tone.CREAM)
    s.mark(s.oval(0.08, 0.74, 0.035, 0.035), Tone.GOLD, light=0.2)
    for x in (0.26, 0.74):
        _wheel(s, x, 0.82, 0.12)


def truck(s: Sketch) -> None:
    s.stand(0.5, 0.46)
    s.part(s.box(0.06, 0.74, 0.95, 0.83, 0.02), Tone.SLATE)
    s.part(s.box(0.37, 0.16, 0.96, 0.76, 0.04), gloss=(0.46, 0.23))
    s.part(
        s.blob(
            (0.05, 0.78), (0.05, 0.56), (0.12, 0.5), (0.17, 0.36), (0.33, 0.34), (0.34, 0.56), (0.34, 0.78)
        ),
        Tone.DEEP,
    )
    s.mark(s.polygon((0.14, 0.53), (0.19, 0.4), (0.29, 0.4), (0.29, 0.53)), Tone.GLASS, light=0.1)
    s.mark(s.oval(0.08, 0.65, 0.03, 0.035), Tone.GOLD, light=0.2)
    for x in (0.22, 0.6, 0.82):
        _wheel(s, x, 0.83, 0.11)


def train(s: Sketch) -> None:
    s.stand(0.5, 0.46)
    s.part(
        s.polygon((0.17, 0.12), (0.37, 0.12), (0.33, 0.26), (0.33, 0.44), (0.21, 0.44), (0.21, 0.26)),
        Tone.SLATE,
    )
    s.part(s.oval(0.46, 0.38, 0.07, 0.1), Tone.GOLD)
    s.part(s.box(0.08, 0.4, 0.66, 0.74, 0.12), gloss=(0.2, 0.47))
    s.part(s.box(0.56, 0.2, 0.9, 0.76, 0.03))
    s.mark(s.box(0.63, 0.3, 0.83, 0.5, 0.03), Tone.GLASS, light=0.1)
    s.part(s.box(0.5, 0.12, 0.96, 0.21, 0.04), Tone.SLATE)
    s.part(s.disc(0.11, 0.56, 0.06), Tone.GOLD)
    s.part(s.polygon((0.02, 0.9), (0.14, 0.68), (0.2, 0.9)), Tone.SLATE)
    s.part(s.box(0.1, 0.72, 0.93, 0.8, 0.02), Tone.DEEP)
    for x, r in ((0.28, 0.09), (0.48, 0.09), (0.75, 0.135)):
        _wheel(s, x, 0.935 - r, r)


def boat(s: Sketch) -> None:
    s.stand(0.5, 0.38)
    s.part(s.box(0.46, 0.05, 0.53, 0.7), Tone.WOOD)
    s.part(s.blob((0.56, 0.08), (0.78, 0.34), (0.9, 0.6), (0.56, 0.62)), Tone.CREAM)
    s.part(s.blob((0.43, 0.14), (0.43, 0.62), (0.12, 0.6), (0.28, 0.36)), Tone.CREAM)
    s.part(s.polygon((0.5, 0.03), (0.7, 0.09), (0.5, 0.15)))
    hull = s.part(
        s.blob(
            (0.03, 0.66), (0.5, 0.69), (0.97, 0.64), (0.86, 0.86), (0.72, 0.93), (0.28, 0.93), (0.13, 0.84)
        ),
        gloss=(0.22, 0.77),
    )
    s.mark(s.curve(0.05, (0.05, 0.7), (0.5, 0.735), (0.95, 0.69)), Tone.CREAM, within=hull)


def aeroplane(s: Sketch) -> None:
    s.stand(0.5, 0.28)
    s.part(s.polygon((0.76, 0.44), (0.84, 0.14), (0.96, 0.14), (0.94, 0.46)), Tone.DEEP)
    s.part(s.polygon((0.42, 0.44), (0.56, 0.2), (0.66, 0.2), (0.6, 0.46)), Tone.DEEP)
    s.part(
        s.blob(
            (0.04, 0.52),
            (0.12, 0.4),
            (0.4, 0.37),
            (0.7, 0.39),
            (0.97, 0.42),
            (0.88, 0.56),
            (0.6, 0.64),
            (0.22, 0.65),
            (0.07, 0.62),
        ),
        gloss=(0.25, 0.43),
    )
    s.mark(s.blob((0.09, 0.47), (0.2, 0.43), (0.21, 0.5), (0.08, 0.53)), Tone.GLASS, light=0.15)
    for x in (0.33, 0.46, 0.59, 0.72):
        s.mark(s.disc(x, 0.48, 0.038), Tone.GLASS, light=0.1)
    s.part(s.polygon((0.38, 0.56), (0.6, 0.55), (0.76, 0.84), (0.64, 0.84)), Tone.DEEP)


def rocket(s: Sketch) -> None:
    s.stand(0.5, 0.2)
    s.part(s.blob((0.42, 0.8), (0.58, 0.8), (0.56, 0.9), (0.5, 0.97), (0.44, 0.9)), Tone.GOLD)
    for side in (-1, 1):
        s.part(
            s.polygon(
                (0.5 + side * 0.12, 0.52),
                (0.5 + side * 0.36, 0.76),
                (0.5 + side * 0.32, 0.9),
                (0.5 + side * 0.12, 0.78),
            ),
            Tone.DEEP,
        )
    hull = s.part(
        s.blob(
            (0.5, 0.03),
            (0.66, 0.22),
            (0.71, 0.5),
            (0.64, 0.8),
            (0.5, 0.82),
            (0.36, 0.8),
            (0.29, 0.5),
            (0.34, 0.22),
        ),
        gloss=(0.41, 0.3),
    )
    s.mark(hull & s.above(0.2), Tone.CREAM)
    s.part(s.disc(0.5, 0.42, 0.115), Tone.CREAM)
    s.mark(s.disc(0.5, 0.42, 0.075), Tone.GLASS, light=0.1)
    s.part(s.box(0.475, 0.66, 0.525, 0.88, 0.02), Tone.DEEP)


def balloon(s: Sketch) -> None:
    s.stand(0.5, 0.18)
    for x0, x1 in ((0.3, 0.42), (0.7, 0.58)):
        s.part(s.stroke(((x0, 0.54), (x1, 0.78)), 0.02), Tone.INK, outline=False)
    s.part(s.box(0.38, 0.74, 0.62, 0.91, 0.04), Tone.WOOD)
    s.mark(s.box(0.38, 0.76, 0.62, 0.8), Tone.GOLD)
    envelope = s.part(
        s.blob(
            (0.5, 0.03),
            (0.76, 0.1),
            (0.87, 0.32),
            (0.74, 0.54),
            (0.6, 0.68),
            (0.4, 0.68),
            (0.26, 0.54),
            (0.13, 0.32),
            (0.24, 0.1),
        ),
        rim=0.1,
    )
    panel = s.oval(0.5, 0.34, 0.13, 0.37) & envelope
    s.mark(panel, Tone.CREAM)
    s.line(0.02, (0.5, 0.02), (0.37, 0.34), (0.46, 0.68), within=envelope)
    s.line(0.02, (0.5, 0.02), (0.63, 0.34), (0.54, 0.68), within=envelope)
    s.mark(s.oval(0.27, 0.22, 0.075, 0.05, -45), Tone.BODY, light=0.6)
