"""Drawings of everyday objects."""

from training.world.drawing.sketch import Sketch, Tone


def ball(s: Sketch) -> None:
    s.stand(0.52, 0.28)
    disc = s.part(s.disc(0.5, 0.52, 0.41), rim=0.11, gloss=(0.33, 0.29))
    s.mark(s.curve(0.13, (0.08, 0.5), (0.3, 0.62), (0.7, 0.62), (0.92, 0.5)) & disc, Tone.CREAM)
    s.line(0.022, (0.08, 0.44), (0.3, 0.555), (0.7, 0.555), (0.92, 0.44), within=disc)
    s.line(0.022, (0.08, 0.56), (0.3, 0.685), (0.7, 0.685), (0.92, 0.56), within=disc)


def mug(s: Sketch) -> None:
    s.stand(0.46, 0.36)
    s.part(s.oval(0.72, 0.56, 0.22, 0.21) & ~s.oval(0.72, 0.56, 0.115, 0.11), Tone.DEEP)
    s.part(s.box(0.1, 0.24, 0.72, 0.92, 0.12) | s.box(0.1, 0.24, 0.72, 0.6), gloss=(0.2, 0.5))
    s.part(s.oval(0.41, 0.25, 0.31, 0.1), Tone.CREAM)
    s.mark(s.oval(0.41, 0.27, 0.25, 0.065), Tone.WOOD, light=-0.1)


def teapot(s: Sketch) -> None:
    s.stand(0.5, 0.36)
    s.part(s.oval(0.83, 0.56, 0.15, 0.2) & ~s.oval(0.81, 0.56, 0.07, 0.11), Tone.DEEP)
    s.part(
        s.blob(
            (0.3, 0.72), (0.16, 0.64), (0.13, 0.46), (0.03, 0.38), (0.14, 0.34), (0.24, 0.44), (0.32, 0.52)
        ),
        Tone.DEEP,
    )
    s.part(
        s.blob(
            (0.5, 0.32),
            (0.74, 0.42),
            (0.82, 0.64),
            (0.72, 0.88),
            (0.5, 0.93),
            (0.28, 0.88),
            (0.18, 0.64),
            (0.26, 0.42),
        ),
        rim=0.1,
        gloss=(0.35, 0.48),
    )
    s.part(s.oval(0.5, 0.35, 0.2, 0.07), Tone.DEEP)
    s.part(s.disc(0.5, 0.24, 0.07), Tone.GOLD)


def chair(s: Sketch) -> None:
    s.stand(0.52, 0.36)
    for x in (0.24, 0.7):
        s.part(s.box(x, 0.62, x + 0.08, 0.93, 0.02), Tone.WOOD)
    s.part(s.box(0.2, 0.06, 0.3, 0.66, 0.03), Tone.WOOD)
    s.part(s.box(0.7, 0.06, 0.8, 0.66, 0.03), Tone.WOOD)
    s.part(s.box(0.25, 0.1, 0.75, 0.5, 0.09), gloss=(0.34, 0.18))
    s.part(s.polygon((0.2, 0.56), (0.8, 0.56), (0.88, 0.72), (0.12, 0.72)), Tone.BODY)
    s.part(s.box(0.12, 0.69, 0.88, 0.77, 0.03), Tone.DEEP)
    for x in (0.13, 0.79):
        s.part(s.box(x, 0.76, x + 0.085, 0.935, 0.02), Tone.WOOD)


def lamp(s: Sketch) -> None:
    s.stand(0.5, 0.28)
    s.part(s.oval(0.5, 0.89, 0.23, 0.055), Tone.WOOD)
    s.part(s.box(0.455, 0.5, 0.545, 0.89), Tone.WOOD)
    s.part(s.disc(0.5, 0.68, 0.085), Tone.GOLD)
    s.part(s.oval(0.5, 0.54, 0.34, 0.07), Tone.GOLD)
    s.part(
        s.blob(
            (0.36, 0.1),
            (0.5, 0.08),
            (0.64, 0.1),
            (0.76, 0.32),
            (0.87, 0.52),
            (0.5, 0.57),
            (0.13, 0.52),
            (0.24, 0.32),
        ),
        rim=0.1,
        gloss=(0.36, 0.24),
    )


def umbrella(s: Sketch) -> None:
    s.stand(0.5, 0.2)
    s.part(s.curve(0.055, (0.5, 0.4), (0.5, 0.78), (0.46, 0.91), (0.36, 0.91), (0.34, 0.82)), Tone.WOOD)
    s.part(s.stroke(((0.5, 0.05), (0.5, 0.14)), 0.05), Tone.WOOD)
    dome = s.oval(0.5, 0.56, 0.45, 0.46) & s.above(0.56)
    for x in (0.2, 0.4, 0.6, 0.8):
        dome &= ~s.oval(x, 0.58, 0.1, 0.07)
    s.part(dome, rim=0.09, gloss=(0.24, 0.32))
    for x in (0.3, 0.5, 0.7):
        s.line(0.025, (0.5, 0.11), (0.5 + (x - 0.5) * 0.8, 0.3), (x, 0.53), within=dome)


def book(s: Sketch) -> None:
    s.stand(0.52, 0.4)
    s.part(s.box(0.2, 0.12, 0.88, 0.92, 0.04), Tone.DEEP)
    s.part(s.box(0.24, 0.14, 0.83, 0.88), Tone.CREAM)
    for x in (0.79, 0.81):
        s.line(0.012, (x, 0.16), (x, 0.86), tone=Tone.METAL)
    s.part(s.box(0.13, 0.08, 0.76, 0.88, 0.04), gloss=None)
    s.mark(s.box(0.13, 0.08, 0.24, 0.88, 0.03), Tone.DEEP)
    s.part(s.box(0.34, 0.22, 0.66, 0.4, 0.02), Tone.CREAM)
    s.line(0.03, (0.4, 0.28), (0.6, 0.28))
    s.line(0.03, (0.43, 0.34), (0.57, 0.34))


def clock(s: Sketch) -> None:
    s.stand(0.5, 0.34)
    for side in (-1, 1):
        s.part(s.stroke(((0.5 + side * 0.2, 0.8), (0.5 + side * 0.29, 0.92)), 0.08), Tone.WOOD)
        s.part(s.oval(0.5 + side * 0.25, 0.19, 0.15, 0.1, side * 38), Tone.GOLD)
    s.part(s.stroke(((0.5, 0.08), (0.5, 0.2)), 0.06), Tone.GOLD)
    s.part(s.disc(0.5, 0.54, 0.37), rim=0.05)
    s.part(s.disc(0.5, 0.54, 0.25), Tone.CREAM)
    for x, y in ((0.5, 0.34), (0.5, 0.74), (0.3, 0.54), (0.7, 0.54)):
        s.mark(s.disc(x, y, 0.025), Tone.INK, light=0.0)
    s.mark(s.stroke(((0.5, 0.54), (0.5, 0.4)), 0.045), Tone.INK, light=0.0)
    s.mark(s.stroke(((0.5, 0.54), (0.6, 0.6)), 0.045), Tone.INK, light=0.0)


def gift(s: Sketch) -> None:
    s.stand(0.52, 0.42)
    s.part(s.box(0.14, 0.42, 0.86, 0.93, 0.02), gloss=None)
    s.mark(s.box(0.43, 0.42, 0.57, 0.93), Tone.CREAM)
    s.part(s.box(0.08, 0.32, 0.92, 0.48, 0.03), gloss=(0.2, 0.38))
    s.mark(s.box(0.43, 0.32, 0.57, 0.48), Tone.CREAM)
    for side in (-1, 1):
        s.part(
            s.blob((0.5, 0.31), (0.5 + side * 0.1, 0.1), (0.5 + side * 0.3, 0.12), (0.5 + side * 0.26, 0.28)),
            Tone.CREAM,
        )
    s.part(s.disc(0.5, 0.28, 0.065), Tone.CREAM)


def hat(s: Sketch) -> None:
    s.stand(0.5, 0.46)
    s.part(s.oval(0.5, 0.78, 0.47, 0.14), rim=0.05)
    s.part(
        s.blob(
            (0.24, 0.76),
            (0.28, 0.36),
            (0.42, 0.2),
            (0.5, 0.27),
            (0.58, 0.2),
            (0.72, 0.36),
            (0.76, 0.76),
            (0.5, 0.84),
        ),
        rim=0.1,
        gloss=(0.36, 0.36),
    )
    s.mark(s.curve(0.12, (0.22, 0.63), (0.5, 0.71), (0.78, 0.63)), Tone.INK)
    s.mark(s.box(0.6, 0.58, 0.7, 0.74, 0.02), Tone.GOLD, light=0.2)
