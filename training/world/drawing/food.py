"""Drawings of the food."""

from training.world.drawing.sketch import Sketch, Tone


def apple(s: Sketch) -> None:
    s.stand(0.5, 0.28)
    body = s.blob(
        (0.5, 0.3),
        (0.68, 0.24),
        (0.87, 0.4),
        (0.84, 0.68),
        (0.66, 0.91),
        (0.5, 0.88),
        (0.34, 0.91),
        (0.16, 0.68),
        (0.13, 0.4),
        (0.32, 0.24),
    )
    s.part(s.curve(0.055, (0.5, 0.33), (0.5, 0.2), (0.56, 0.1)), Tone.WOOD)
    s.part(body, rim=0.1, gloss=(0.3, 0.42))
    s.mark(s.oval(0.5, 0.31, 0.09, 0.035), Tone.DEEP)
    s.mark(s.curve(0.05, (0.5, 0.32), (0.5, 0.2)), Tone.WOOD)
    s.part(s.oval(0.7, 0.15, 0.14, 0.065, -22), Tone.LEAF)


def banana(s: Sketch) -> None:
    s.stand(0.5, 0.3)
    body = s.blob(
        (0.16, 0.28),
        (0.27, 0.22),
        (0.34, 0.46),
        (0.52, 0.64),
        (0.74, 0.68),
        (0.9, 0.6),
        (0.95, 0.7),
        (0.78, 0.86),
        (0.5, 0.87),
        (0.26, 0.7),
        (0.16, 0.46),
    )
    s.part(s.curve(0.08, (0.22, 0.26), (0.2, 0.12)), Tone.WOOD)
    shape = s.part(body, rim=0.05, gloss=(0.3, 0.56))
    s.line(
        0.03, (0.22, 0.3), (0.28, 0.54), (0.48, 0.75), (0.74, 0.78), (0.9, 0.68), within=shape, tone=Tone.DEEP
    )
    s.mark(s.disc(0.93, 0.65, 0.05), Tone.WOOD, within=shape)


def strawberry(s: Sketch) -> None:
    s.stand(0.5, 0.2)
    body = s.part(
        s.blob(
            (0.5, 0.24),
            (0.76, 0.24),
            (0.88, 0.44),
            (0.74, 0.74),
            (0.5, 0.94),
            (0.26, 0.74),
            (0.12, 0.44),
            (0.24, 0.24),
        ),
        rim=0.1,
        gloss=(0.24, 0.42),
    )
    for x, y in (
        (0.36, 0.5),
        (0.5, 0.42),
        (0.64, 0.5),
        (0.5, 0.6),
        (0.37, 0.68),
        (0.63, 0.68),
        (0.5, 0.78),
        (0.76, 0.42),
    ):
        s.mark(s.oval(x, y, 0.022, 0.035), Tone.GOLD, within=body, light=0.2)
    s.part(
        s.polygon(
            (0.5, 0.08),
            (0.58, 0.2),
            (0.8, 0.14),
            (0.72, 0.3),
            (0.58, 0.3),
            (0.5, 0.42),
            (0.42, 0.3),
            (0.28, 0.3),
            (0.2, 0.14),
            (0.42, 0.2),
        ),
        Tone.LEAF,
    )


def cake(s: Sketch) -> None:
    s.stand(0.5, 0.44, 0.93)
    s.part(s.oval(0.5, 0.87, 0.45, 0.07), Tone.GLASS)
    s.part(s.box(0.14, 0.44, 0.86, 0.87, 0.07), gloss=(0.22, 0.7))
    icing = s.oval(0.5, 0.44, 0.36, 0.1)
    for x, y in ((0.2, 0.58), (0.35, 0.64), (0.5, 0.57), (0.65, 0.65), (0.8, 0.57)):
        icing |= s.stroke(((x, 0.44), (x, y)), 0.13)
    s.part(icing & s.box(0.1, 0.3, 0.9, 0.9), Tone.CREAM)
    s.mark(s.oval(0.5, 0.43, 0.28, 0.055), Tone.CREAM, light=0.3)
    s.part(s.box(0.455, 0.22, 0.545, 0.43), Tone.PINK)
    s.part(s.oval(0.5, 0.14, 0.05, 0.075), Tone.GOLD)


def ice_cream(s: Sketch) -> None:
    s.stand(0.5, 0.14)
    cone = s.part(s.polygon((0.28, 0.52), (0.72, 0.52), (0.5, 0.95)), Tone.GOLD)
    for points in (
        ((0.38, 0.52), (0.62, 0.78)),
        ((0.56, 0.52), (0.68, 0.66)),
        ((0.62, 0.52), (0.38, 0.78)),
        ((0.44, 0.52), (0.32, 0.66)),
    ):
        s.line(0.022, *points, within=cone, tone=Tone.WOOD)
    s.part(s.disc(0.34, 0.42, 0.18), gloss=(0.27, 0.34))
    s.part(s.disc(0.66, 0.42, 0.18))
    s.part(s.disc(0.5, 0.24, 0.19), gloss=(0.43, 0.16))
    s.part(s.box(0.2, 0.5, 0.8, 0.58, 0.04), Tone.GOLD)
    s.part(s.disc(0.52, 0.06, 0.05), Tone.PINK)


def doughnut(s: Sketch) -> None:
    s.stand(0.5, 0.3)
    hole = s.oval(0.5, 0.5, 0.12, 0.115)
    s.part(s.disc(0.5, 0.5, 0.42) & ~hole, Tone.GOLD)
    icing = s.blob(
        (0.5, 0.13),
        (0.72, 0.18),
        (0.86, 0.38),
        (0.82, 0.6),
        (0.7, 0.68),
        (0.6, 0.78),
        (0.45, 0.7),
        (0.3, 0.76),
        (0.2, 0.62),
        (0.13, 0.44),
        (0.26, 0.2),
    )
    iced = s.part(icing & ~s.oval(0.5, 0.5, 0.145, 0.14), gloss=(0.28, 0.32))
    for x, y, turn in (
        (0.4, 0.23, 20),
        (0.6, 0.26, -40),
        (0.73, 0.38, 60),
        (0.72, 0.56, 10),
        (0.26, 0.5, 80),
        (0.4, 0.64, -20),
        (0.57, 0.69, 40),
    ):
        s.mark(s.oval(x, y, 0.042, 0.02, turn), Tone.CREAM, within=iced, light=0.2)


def carrot(s: Sketch) -> None:
    s.stand(0.5, 0.14)
    for x0, y0, turn in ((0.36, 0.16, 62), (0.64, 0.16, -62), (0.5, 0.13, 90)):
        s.part(s.oval(x0, y0, 0.13, 0.06, turn), Tone.LEAF)
    body = s.part(
        s.blob(
            (0.5, 0.25),
            (0.67, 0.27),
            (0.72, 0.4),
            (0.6, 0.72),
            (0.5, 0.95),
            (0.4, 0.72),
            (0.28, 0.4),
            (0.33, 0.27),
        ),
        rim=0.06,
        gloss=(0.39, 0.36),
    )
    for points in (((0.3, 0.48), (0.46, 0.5)), ((0.7, 0.58), (0.54, 0.6)), ((0.38, 0.7), (0.5, 0.72))):
        s.line(0.03, *points, within=body, tone=Tone.DEEP)
