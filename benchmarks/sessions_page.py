"""docs/session_benchmarks.md and its figure: how far pictures drift over the turns of a session."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from benchmarks.session_rounds import Way

CONVERGEBENCH = {
    "Nano Banana": (0.806, 0.604),
    "Qwen-Edit": (0.823, 0.618),
    "Grok": (0.826, 0.582),
    "Gemini 2.5 Flash": (0.843, 0.451),
    "FLUX Kontext": (0.819, 0.282),
}
"""SSIM after rounds 1 and 10; from Qianli-ion/edit-converge-bench, results_comparison, 2026-02."""
PUBLISHED_ROUNDS = (1, 10)
WIDTH, HEIGHT = 860, 470
LEFT, RIGHT, TOP, BOTTOM = 60, 250, 54, 50
LOWEST, HIGHEST = 0.2, 1.0
LABEL_GAP = 17
COLOURS = {Way.MASKED: "#0a7f5a", Way.TOKENS: "#1f5fbf", Way.PIXELS: "#c2410c"}
PUBLISHED_COLOUR = "#8a8f98"
TITLE = "SSIM against the first picture, after rounds of an edit and its inverse"
TEXT_STYLE = 'font-family="system-ui, sans-serif" font-size="13" fill="#1c1f24"'
Point = tuple[float, float]


def figure(results: Mapping[str, Any]) -> str:
    """The SVG: SSIM against the start after each round; published curves are grey."""
    rounds = results["rounds"]
    count = len(rounds[Way.MASKED.value])
    ours = {way: [(number, one["ssim"]) for number, one in enumerate(rounds[way.value], 1)] for way in Way}
    published = {name: list(zip(PUBLISHED_ROUNDS, ends, strict=True)) for name, ends in CONVERGEBENCH.items()}
    ends = {name: line[-1][1] for name, line in published.items()} | {
        way.value: line[-1][1] for way, line in ours.items()
    }
    labels = spread({name: vertical(value) for name, value in ends.items()})
    note = (
        f"colour: models/tiny, {results['sessions']} sessions; grey: ConvergeBench, other pictures, "
        "compare the shape only"
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {TEXT_STYLE}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="24" font-size="16" font-weight="600">{TITLE}</text>',
        f'<text x="{LEFT}" y="42" fill="#5b6068">{note}</text>',
        *axes(count),
    ]
    for name, line in published.items():
        parts += curve(line, count, PUBLISHED_COLOUR, "5 4", 1.5)
        parts.append(label(name, labels[name], PUBLISHED_COLOUR, ends[name]))
    for way, line in ours.items():
        parts += curve(line, count, COLOURS[way], "", 2.5)
        parts.append(label(way.value, labels[way.value], COLOURS[way], ends[way.value]))
    return "\n".join([*parts, "</svg>", ""])


def axes(count: int) -> list[str]:
    """Grid lines and numbers of both axes."""
    parts: list[str] = []
    base = HEIGHT - BOTTOM + 22
    for tenth in range(round(LOWEST * 10), round(HIGHEST * 10) + 1, 2):
        y = vertical(tenth / 10)
        parts += [
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e3e5e8"/>',
            f'<text x="{LEFT - 10}" y="{y + 4:.1f}" text-anchor="end">{tenth / 10:.1f}</text>',
        ]
    parts += [
        f'<text x="{horizontal(number, count):.1f}" y="{base}" text-anchor="middle">{number}</text>'
        for number in range(1, count + 1)
    ]
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle:.0f}" y="{HEIGHT - 8}" text-anchor="middle">round</text>')
    return parts


def horizontal(number: float, count: int) -> float:
    """Place of a round."""
    return LEFT + (WIDTH - LEFT - RIGHT) * (number - 1) / max(1, max(count, PUBLISHED_ROUNDS[-1]) - 1)


def vertical(value: float) -> float:
    """Place of an SSIM."""
    share = (min(max(value, LOWEST), HIGHEST) - LOWEST) / (HIGHEST - LOWEST)
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * share


def curve(line: Sequence[Point], count: int, colour: str, dashes: str, width: float) -> list[str]:
    """A line with a dot at each measured round."""
    places = [(horizontal(number, count), vertical(value)) for number, value in line]
    style = f'stroke="{colour}" stroke-width="{width}" stroke-dasharray="{dashes}"'
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return [
        f'<polyline points="{points}" fill="none" {style}/>',
        *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places),
    ]


def label(name: str, y: float, colour: str, value: float) -> str:
    """The name of a curve at its right end."""
    return f'<text x="{WIDTH - RIGHT + 10}" y="{y + 4:.1f}" fill="{colour}">{escape(name)} {value:.3f}</text>'


def spread(places: Mapping[str, float]) -> dict[str, float]:
    """The places of labels from top to bottom, moved down where two would overlap."""
    moved: dict[str, float] = {}
    lowest = float("-inf")
    for name, y in sorted(places.items(), key=lambda item: item[1]):
        moved[name] = lowest = max(y, lowest + LABEL_GAP)
    return moved


def page(results: Mapping[str, Any]) -> str:
    """The page in Markdown."""
    machine = ", ".join(f"{name} {value}" for name, value in results["machine"].items())
    published = "\n".join(
        f"| {name} | {first:.3f} | {last:.3f} |" for name, (first, last) in CONVERGEBENCH.items()
    )
    sessions, count = results["sessions"], len(results["turns"][Way.MASKED.value])
    return f"""# Drift over the turns of a session

`python -m benchmarks.sessions` writes this page; change the program, not the page.

Model `models/tiny`, {sessions} sessions for each table, pictures of 64x64 pixels of the scene world.
Machine: {machine}.

A session is kept in three ways: as tokens, with a mask on each edit; as tokens, without a mask; and as
pixels, which are encoded again for each turn, as services do that keep PNG files. All three begin with the
same tokens and draw with the same seeds. Edits change one object; the masks are the cells that the exact edit
changes, {100 * results["cells_in_masks"]:.0f} % of the picture on average.

## Rounds of an edit and its inverse

After each round the picture should be the first one again. Values are means over the sessions, against the
first picture. PSNR is at most 58.9 dB, which means equal 8-bit pictures. With a mask, every token outside it
is equal after every round of every session; the program fails otherwise.

{round_table(results["rounds"])}

![SSIM after each round](benchmarks/sessions.svg)

ConvergeBench publishes these values of SSIM for its own photographs and edits, by models that return pixels.
The pictures and edits are others, so only the shape of the curves can be compared:

| model | round 1 | round 10 |
|---|---|---|
{published}

## Different edits in a row

Each session makes {count} different edits, each of the picture before. "exact" is the share of sessions whose
picture shows exactly the scene that all instructions so far ask for, so one failed edit counts in all later
turns. "untouched" is the share of equal tokens among the cells that no edit so far had to change.

{turn_table(results["turns"])}

Undo is no edit: the head moves back to the parent, whose tokens and file have not changed.
"""


def round_table(rounds: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """The first, a middle and the last round of each way."""
    lines = [
        "| kept as | round | SSIM | PSNR dB | inside the mask | outside | equal tokens | inside | outside |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for way, values in rounds.items():
        for number in chosen(len(values)):
            one = values[number - 1]
            decibels = " | ".join(f"{one[name]:.1f}" for name in ("psnr", "psnr_inside", "psnr_outside"))
            equal = " | ".join(
                f"{one[name]:.3f}" for name in ("agreement", "agreement_inside", "agreement_outside")
            )
            lines.append(f"| {way} | {number} | {one['ssim']:.3f} | {decibels} | {equal} |")
    return "\n".join(lines)


def turn_table(turns: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Some turns of each way."""
    lines = ["| kept as | turn | exact | SSIM to the exact scene | untouched |", "|---|---|---|---|---|"]
    for way, values in turns.items():
        for number in chosen(len(values)):
            one = values[number - 1]
            untouched = one.get("untouched_agreement")
            shown = "" if untouched is None else f"{untouched:.3f}"
            lines.append(f"| {way} | {number} | {one['exact']:.2f} | {one['ssim_to_truth']:.3f} | {shown} |")
    return "\n".join(lines)


def chosen(count: int) -> list[int]:
    """Some numbers from 1 to `count`, with both ends."""
    return sorted({1, 2, *range(5, count, 5), count} & set(range(1, count + 1)))
