"""Drawings of the animals."""

from training.world.drawing.sketch import Sketch, Tone


def cat(s: Sketch) -> None:
    s.stand(0.52, 0.34)
    s.part(s.curve(0.1, (0.66, 0.86), (0.86, 0.86), (0.92, 0.7), (0.85, 0.56)))
    body = s.part(s.oval(0.5, 0.74, 0.25, 0.19))
    s.mark(s.oval(0.5, 0.8, 0.12, 0.13), Tone.CREAM, within=body)
    for side in (-1, 1):
        s.part(s.oval(0.5 + side * 0.13, 0.89, 0.09, 0.055))
        s.part(s.polygon((0.5 + side * 0.31, 0.42), (0.5 + side * 0.3, 0.06), (0.5 + side * 0.06, 0.2)))
        s.mark(
            s.polygon((0.5 + side * 0.25, 0.3), (0.5 + side * 0.255, 0.15), (0.5 + side * 0.13, 0.22)),
            Tone.PINK,
        )
    head = s.part(s.oval(0.5, 0.4, 0.34, 0.26), gloss=(0.34, 0.23))
    s.mark(s.oval(0.5, 0.5, 0.14, 0.1), Tone.CREAM, within=head)
    s.mark(s.oval(0.5, 0.465, 0.045, 0.03), Tone.PINK, light=-0.1)
    for side in (-1, 1):
        s.eye(0.5 + side * 0.155, 0.38, 0.06)
        s.line(0.022, (0.5, 0.5), (0.5 + side * 0.05, 0.545), (0.5 + side * 0.1, 0.525))


def dog(s: Sketch) -> None:
    s.stand(0.5, 0.34)
    s.part(s.curve(0.1, (0.7, 0.82), (0.86, 0.74), (0.92, 0.6)))
    body = s.part(s.oval(0.5, 0.74, 0.26, 0.19))
    s.mark(s.oval(0.5, 0.8, 0.13, 0.13), Tone.CREAM, within=body)
    for side in (-1, 1):
        s.part(s.oval(0.5 + side * 0.14, 0.89, 0.095, 0.055))
    head = s.part(s.oval(0.5, 0.36, 0.29, 0.27), gloss=(0.38, 0.18))
    s.mark(s.oval(0.5, 0.47, 0.15, 0.12), Tone.CREAM, within=head)
    s.mark(s.oval(0.5, 0.575, 0.05, 0.055), Tone.PINK, light=0.0)
    s.mark(s.oval(0.5, 0.41, 0.065, 0.048), Tone.INK, light=0.0)
    for side in (-1, 1):
        s.part(s.oval(0.5 + side * 0.295, 0.37, 0.095, 0.22, side * -14), Tone.DEEP)
        s.eye(0.5 + side * 0.12, 0.31)


def rabbit(s: Sketch) -> None:
    s.stand(0.5, 0.32)
    s.part(s.disc(0.75, 0.82, 0.085), Tone.CREAM)
    body = s.part(s.oval(0.5, 0.76, 0.23, 0.17))
    s.mark(s.oval(0.5, 0.81, 0.12, 0.12), Tone.CREAM, within=body)
    for side in (-1, 1):
        s.part(s.oval(0.5 + side * 0.13, 0.9, 0.1, 0.05))
        s.part(s.oval(0.5 + side * 0.14, 0.21, 0.085, 0.19, side * 9))
        s.mark(s.oval(0.5 + side * 0.14, 0.21, 0.04, 0.13, side * 9), Tone.PINK)
    head = s.part(s.oval(0.5, 0.48, 0.27, 0.21), gloss=(0.37, 0.35))
    s.mark(s.oval(0.5, 0.555, 0.11, 0.085), Tone.CREAM, within=head)
    s.mark(s.oval(0.5, 0.525, 0.04, 0.028), Tone.PINK, light=-0.1)
    for side in (-1, 1):
        s.eye(0.5 + side * 0.13, 0.465)


def elephant(s: Sketch) -> None:
    s.stand(0.54, 0.38)
    s.part(s.curve(0.045, (0.86, 0.5), (0.94, 0.56), (0.94, 0.68)))
    for x in (0.43, 0.72):
        s.part(s.box(x, 0.66, x + 0.15, 0.92, 0.05), Tone.DEEP)
    s.part(s.oval(0.6, 0.56, 0.32, 0.24), gloss=(0.52, 0.37))
    for x in (0.32, 0.6):
        s.part(s.box(x, 0.66, x + 0.15, 0.93, 0.05))
    s.part(s.curve(0.12, (0.17, 0.4), (0.1, 0.6), (0.12, 0.78), (0.2, 0.85)))
    s.part(s.oval(0.3, 0.38, 0.22, 0.22), gloss=(0.2, 0.25))
    s.mark(s.curve(0.1, (0.17, 0.4), (0.11, 0.56)), Tone.BODY)
    s.part(s.oval(0.43, 0.38, 0.13, 0.2, 8), Tone.DEEP)
    s.mark(s.oval(0.43, 0.39, 0.07, 0.13, 8), Tone.PINK)
    s.part(s.curve(0.05, (0.24, 0.55), (0.22, 0.64)), Tone.CREAM)
    s.eye(0.21, 0.35)


def bird(s: Sketch) -> None:
    s.stand(0.48, 0.26)
    for x in (0.43, 0.56):
        s.part(s.stroke(((x, 0.76), (x, 0.92)), 0.05), Tone.ORANGE)
    s.part(s.polygon((0.68, 0.5), (0.97, 0.38), (0.95, 0.58), (0.74, 0.72)), Tone.DEEP)
    s.part(s.polygon((0.18, 0.31), (0.02, 0.4), (0.2, 0.46)), Tone.ORANGE)
    body = s.part(s.oval(0.52, 0.58, 0.31, 0.24) | s.oval(0.36, 0.37, 0.22, 0.21), gloss=(0.3, 0.24))
    s.mark(s.oval(0.36, 0.68, 0.2, 0.17), Tone.CREAM, within=body)
    s.part(s.oval(0.62, 0.56, 0.19, 0.12, 24), Tone.DEEP)
    s.eye(0.3, 0.34, 0.06)


def owl(s: Sketch) -> None:
    s.stand(0.5, 0.3)
    for side in (-1, 1):
        s.part(s.oval(0.5 + side * 0.1, 0.91, 0.075, 0.045), Tone.ORANGE)
        s.part(s.polygon((0.5 + side * 0.34, 0.36), (0.5 + side * 0.34, 0.05), (0.5 + side * 0.08, 0.2)))
    body = s.part(s.oval(0.5, 0.52, 0.35, 0.38))
    s.mark(s.oval(0.5, 0.7, 0.22, 0.2), Tone.CREAM, within=body)
    for x, y in ((0.42, 0.68), (0.5, 0.74), (0.58, 0.68), (0.5, 0.63)):
        s.mark(s.oval(x, y, 0.03, 0.022), Tone.DEEP)
    for side in (-1, 1):
        s.part(s.oval(0.5 + side * 0.33, 0.6, 0.08, 0.21, side * -8), Tone.DEEP)
        s.part(s.disc(0.5 + side * 0.145, 0.37, 0.135), Tone.CREAM)
        s.eye(0.5 + side * 0.13, 0.37, 0.075)
    s.part(s.polygon((0.44, 0.44), (0.56, 0.44), (0.5, 0.55)), Tone.ORANGE)


def duck(s: Sketch) -> None:
    s.stand(0.54, 0.34)
    for x in (0.48, 0.62):
        s.part(s.oval(x, 0.905, 0.08, 0.035), Tone.ORANGE)
    body = s.blob(
        (0.2, 0.6),
        (0.34, 0.5),
        (0.6, 0.55),
        (0.8, 0.5),
        (0.97, 0.4),
        (0.92, 0.68),
        (0.7, 0.87),
        (0.4, 0.87),
        (0.22, 0.76),
    )
    s.part(body | s.box(0.22, 0.3, 0.42, 0.62, 0.08))
    s.part(s.oval(0.12, 0.37, 0.11, 0.055), Tone.ORANGE)
    s.part(s.disc(0.33, 0.29, 0.2), gloss=(0.25, 0.17))
    s.mark(s.box(0.235, 0.38, 0.42, 0.56), Tone.BODY)
    s.part(s.oval(0.62, 0.67, 0.2, 0.13, -8), Tone.DEEP)
    s.eye(0.28, 0.27, 0.055)


def fish(s: Sketch) -> None:
    s.stand(0.48, 0.24)
    s.part(s.blob((0.68, 0.47), (0.94, 0.22), (0.88, 0.47), (0.94, 0.74)), Tone.DEEP)
    s.part(s.blob((0.3, 0.3), (0.46, 0.08), (0.62, 0.3)), Tone.DEEP)
    s.part(s.blob((0.4, 0.66), (0.5, 0.86), (0.6, 0.64)), Tone.DEEP)
    body = s.part(s.oval(0.42, 0.47, 0.36, 0.25), gloss=(0.3, 0.3))
    s.mark(s.oval(0.4, 0.66, 0.26, 0.12), Tone.CREAM, within=body)
    s.line(0.025, (0.4, 0.36), (0.45, 0.47), (0.4, 0.58), within=body)
    s.part(s.disc(0.23, 0.42, 0.085), Tone.CREAM)
    s.eye(0.215, 0.42, 0.055)


def frog(s: Sketch) -> None:
    s.stand(0.5, 0.4)
    for side in (-1, 1):
        s.part(s.oval(0.5 + side * 0.3, 0.78, 0.15, 0.12, side * 25))
        s.part(s.oval(0.5 + side * 0.3, 0.9, 0.14, 0.045))
        s.part(s.disc(0.5 + side * 0.19, 0.29, 0.135))
    body = s.part(s.oval(0.5, 0.68, 0.29, 0.24))
    s.mark(s.oval(0.5, 0.76, 0.19, 0.16), Tone.CREAM, within=body)
    s.part(s.oval(0.5, 0.47, 0.36, 0.2), gloss=(0.3, 0.4))
    for side in (-1, 1):
        s.mark(s.disc(0.5 + side * 0.19, 0.29, 0.09), Tone.CREAM, light=0.1)
        s.eye(0.5 + side * 0.185, 0.29, 0.06)
        s.part(s.oval(0.5 + side * 0.12, 0.9, 0.085, 0.045))
    s.line(0.03, (0.3, 0.5), (0.4, 0.56), (0.5, 0.575), (0.6, 0.56), (0.7, 0.5))


def turtle(s: Sketch) -> None:
    s.stand(0.5, 0.4)
    for x in (0.28, 0.7):
        s.part(s.oval(x, 0.83, 0.11, 0.09), Tone.LEAF)
    s.part(s.polygon((0.84, 0.7), (0.97, 0.8), (0.82, 0.8)), Tone.LEAF)
    s.part(s.curve(0.14, (0.26, 0.7), (0.15, 0.62), (0.14, 0.5)), Tone.LEAF)
    s.part(s.oval(0.14, 0.47, 0.125, 0.115), Tone.LEAF)
    s.eye(0.11, 0.45, 0.045)
    shell = s.part(s.oval(0.56, 0.7, 0.35, 0.45) & s.above(0.71), gloss=(0.42, 0.4))
    for points in (
        ((0.44, 0.28), (0.4, 0.48), (0.46, 0.7)),
        ((0.68, 0.28), (0.72, 0.48), (0.66, 0.7)),
        ((0.22, 0.52), (0.56, 0.47), (0.9, 0.52)),
    ):
        s.line(0.03, *points, within=shell, tone=Tone.DEEP)
    s.part(s.box(0.17, 0.68, 0.95, 0.79, 0.05), Tone.CREAM)


def butterfly(s: Sketch) -> None:
    s.stand(0.5, 0.2)
    for side in (-1, 1):
        s.part(
            s.curve(0.035, (0.5, 0.3), (0.5 + side * 0.06, 0.16), (0.5 + side * 0.14, 0.1)),
            Tone.INK,
            outline=False,
        )
        s.part(s.oval(0.5 + side * 0.22, 0.63, 0.17, 0.19, side * -25))
        s.part(
            s.blob(
                (0.5 + side * 0.03, 0.46),
                (0.5 + side * 0.2, 0.18),
                (0.5 + side * 0.43, 0.13),
                (0.5 + side * 0.43, 0.38),
                (0.5 + side * 0.24, 0.55),
            )
        )
        s.mark(s.oval(0.5 + side * 0.3, 0.29, 0.07, 0.065), Tone.CREAM)
        s.mark(s.oval(0.5 + side * 0.22, 0.65, 0.055, 0.06), Tone.CREAM)
    s.part(s.oval(0.5, 0.5, 0.055, 0.24), Tone.INK)
    s.part(s.disc(0.5, 0.27, 0.07), Tone.INK)


def snail(s: Sketch) -> None:
    s.stand(0.5, 0.42)
    for x, y in ((0.12, 0.34), (0.27, 0.33)):
        s.part(s.stroke(((x + 0.03, 0.56), (x, y)), 0.045), Tone.CREAM)
        s.part(s.disc(x, y, 0.045), Tone.INK)
    foot = s.blob(
        (0.1, 0.6),
        (0.2, 0.5),
        (0.3, 0.62),
        (0.36, 0.78),
        (0.7, 0.8),
        (0.97, 0.92),
        (0.6, 0.935),
        (0.22, 0.93),
        (0.1, 0.8),
    )
    s.part(foot, Tone.CREAM)
    s.eye(0.17, 0.62, 0.035)
    shell = s.part(s.disc(0.6, 0.53, 0.32), gloss=(0.5, 0.33))
    spiral = (
        (0.62, 0.84),
        (0.84, 0.72),
        (0.84, 0.46),
        (0.64, 0.32),
        (0.44, 0.42),
        (0.42, 0.62),
        (0.58, 0.72),
        (0.72, 0.6),
        (0.66, 0.46),
        (0.55, 0.5),
        (0.58, 0.58),
    )
    s.line(0.035, *spiral, within=shell)
