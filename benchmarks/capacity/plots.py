"""The plots of docs/capacity.md as SVG files, the same bytes for the same results."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.capacity.database import LOADS, WRITES_PER_SECOND
from benchmarks.capacity.roofline import BF16, GPUS, GQA, MHA, picture_seconds

Rows = Sequence[Mapping[str, Any]]
QUANTILES = ("p50", "p95", "p99")
LEAST_SHOWN = 0.01
"""Seconds that are drawn for shorter waits, because the axis is logarithmic."""
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "luminary",
    "font.size": 9,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def panels(titles: Iterable[str], x_label: str, y_label: str) -> tuple[Figure, list[Axes]]:
    """A figure with one panel for each title."""
    names = list(titles)
    figure = Figure(figsize=(3.4 * len(names), 3.0), layout="constrained")
    axes = [figure.add_subplot(1, len(names), place + 1) for place in range(len(names))]
    for axis, name in zip(axes, names, strict=True):
        axis.set_title(name)
        axis.set_xlabel(x_label)
    axes[0].set_ylabel(y_label)
    return figure, axes


def save(figure: Figure, file: Path) -> None:
    """Write the figure without a date."""
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})


def shown(rows: Rows, name: str) -> list[float]:
    """The values of one column, none below LEAST_SHOWN."""
    return [max(float(row[name]), LEAST_SHOWN) for row in rows]


def plot_waits(rows: Rows, file: Path) -> None:
    """Quantiles of the waits against the number of workers, for each trace."""
    traces = list(dict.fromkeys(row["trace"] for row in rows))
    figure, axes = panels(traces, "workers", "seconds of wait")
    for axis, trace in zip(axes, traces, strict=True):
        mine = [row for row in rows if row["trace"] == trace]
        for name in QUANTILES:
            axis.plot(
                [row["workers"] for row in mine], shown(mine, name), marker="o", markersize=3, label=name
            )
        axis.set_xscale("log")
        axis.set_yscale("log")
    axes[0].legend()
    save(figure, file)


def plot_sized(rows: Rows, file: Path) -> None:
    """Waits, and the cost of a thousand pictures, against the workers of one demand."""
    traces = list(dict.fromkeys(row["trace"] for row in rows))
    figure, axes = panels(traces, "workers for a demand of 100", "seconds of wait")
    for axis, trace in zip(axes, traces, strict=True):
        mine = [row for row in rows if row["trace"] == trace]
        workers = [row["workers"] for row in mine]
        for name in QUANTILES:
            axis.plot(workers, shown(mine, name), marker="o", markersize=3, label=name)
        axis.set_yscale("log")
        cost = axis.twinx()
        cost.plot(workers, [row["dollars_per_1000"] for row in mine], color="black", linestyle=":")
        cost.set_ylim(bottom=0)
        if axis is axes[-1]:
            cost.set_ylabel("dollars for 1,000 pictures (dotted)")
    axes[0].legend()
    save(figure, file)


def plot_scaled(rows: Rows, file: Path) -> None:
    """The 95th percentile of the waits against the time of a cold start, for fleets that scale to zero."""
    traces = list(dict.fromkeys(row["trace"] for row in rows))
    figure, axes = panels(traces, "seconds of a cold start", "seconds of wait, p95")
    for axis, trace in zip(axes, traces, strict=True):
        for demand in dict.fromkeys(row["demand"] for row in rows):
            mine = [row for row in rows if (row["trace"], row["demand"]) == (trace, demand)]
            seconds = [row["cold_start_seconds"] for row in mine]
            axis.plot(seconds, shown(mine, "p95"), marker="o", markersize=3, label=f"demand {demand}")
    axes[0].legend()
    save(figure, file)


def plot_claims(rows: Rows, file: Path) -> None:
    """Median wait against the number of workers, for databases of several speeds."""
    figure, [axis] = panels(["steady, load 0.8"], "workers", "seconds of wait, p95")
    for claims in dict.fromkeys(row["claims"] for row in rows):
        mine = [row for row in rows if row["claims"] == claims]
        workers = [row["workers"] for row in mine]
        axis.plot(workers, shown(mine, "p95"), marker="o", markersize=3, label=f"{claims:g} claims/s")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.legend()
    save(figure, file)


def plot_database(file: Path) -> None:
    """Statements a second that a fleet sends to the database, by kind, and what one server can write."""
    figure, [axis] = panels(["one database"], "workers", "statements a second")
    workers = [10, 100, 1000, 10_000]
    for load in LOADS:
        axis.plot(workers, [load.per_worker * number for number in workers], label=load.name)
    axis.axhline(WRITES_PER_SECOND, color="black", linestyle=":", label="writes of one small server")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.legend(fontsize=7)
    save(figure, file)


def plot_seconds(file: Path) -> None:
    """Least seconds of a picture by GPU and number of pictures that share a pass."""
    shapes = (MHA, GQA)
    figure, axes = panels([shape.name for shape in shapes], "pictures at once", "least seconds, 768x768")
    counts = [1, 2, 4, 8, 16]
    for axis, shape in zip(axes, shapes, strict=True):
        for gpu in GPUS[3:]:
            seconds = [picture_seconds(shape, BF16, gpu, 768, pictures=count) for count in counts]
            axis.plot(counts, seconds, marker="o", markersize=3, label=gpu.name)
        axis.set_xscale("log", base=2)
        axis.set_ylim(bottom=0)
    axes[0].legend()
    save(figure, file)


def write_plots(fleet: Mapping[str, Rows], folder: Path) -> None:
    """Write all plots."""
    with mpl.rc_context(STYLE):
        plot_seconds(folder / "seconds.svg")
        plot_waits(fleet["equal_loads"], folder / "waits.svg")
        plot_sized(fleet["sized_fleets"], folder / "sized.svg")
        plot_scaled(fleet["scaled_fleets"], folder / "scaled.svg")
        plot_claims(fleet["claim_limits"], folder / "claims.svg")
        plot_database(folder / "database.svg")
