"""docs/capacity.md from the roofline, the measurements of docs/benchmarks/h100.json and the simulations."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.capacity.database import LOADS, WRITES_PER_SECOND, most_workers
from benchmarks.capacity.fleet import SLOTS
from benchmarks.capacity.roofline import (
    BF16,
    GPUS,
    GQA,
    H100,
    INT8,
    MHA,
    PRECISIONS,
    SHAPES,
    SIDES,
    cache_bytes_per_token,
    codes_of,
    memory,
    most_pictures,
    pass_seconds,
    picture_bytes,
    picture_seconds,
    weight_bytes,
)

FEWER_PASSES = {"text to image": 2.17, "edit": 5.37}
"""Passes saved by speculation on the bundled model: docs/benchmarks.md."""
GIGABYTE = 1e9
TEMPLATE = Path(__file__).with_name("page_template.txt")
WAITS = ("trace", "workers", "jobs", "p50", "p95", "p99", "use")
CLAIMED = ("claims", "workers", "jobs", "p50", "p95", "p99")
SCALED = (
    *("trace", "demand", "cold_start_seconds", "p50", "p95", "p99", "use"),
    *("most_workers", "dollars_per_1000"),
)
"""Columns of the tables of results."""


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def memory_table() -> str:
    """Weights, cache of a picture, and pictures that fit."""
    gpus = [gpu for gpu in GPUS if gpu.name.startswith(("L4", "A100", "H200"))]
    rows = [
        [
            shape.name,
            precision.name,
            f"{side}x{side}",
            f"{weight_bytes(shape, precision) / GIGABYTE:.1f}",
            f"{picture_bytes(shape, precision, side) / GIGABYTE:.1f}",
            f"{memory(shape, precision, side, 1) / GIGABYTE:.1f}",
            *(most_pictures(shape, precision, side, gpu) or "no" for gpu in gpus),
        ]
        for shape in SHAPES
        for precision in PRECISIONS
        for side in SIDES
    ]
    head = ["model", "precision", "picture", "weights GB", "cache GB a picture", "one picture GB"]
    return table([*head, *(gpu.name for gpu in gpus)], rows)


def seconds_table() -> str:
    """Least seconds of a picture of 768x768, alone."""
    rows: list[list[object]] = []
    for shape in (MHA, GQA):
        for precision in PRECISIONS:
            for gpu in GPUS:
                if not most_pictures(shape, precision, 768, gpu):
                    continue
                least = picture_seconds(shape, precision, gpu, 768)
                faster = [
                    picture_seconds(shape, precision, gpu, 768, fewer_passes=fewer) / precision.reached
                    for fewer in FEWER_PASSES.values()
                ]
                reached = least / precision.reached
                seconds = [f"{value:.0f}" for value in (least, reached, *faster)]
                rows.append([shape.name, precision.name, gpu.name, *seconds])
    head = ["model", "precision", "GPU", "floor s", "at the best published share s"]
    return table([*head, *(f"and {name} with speculation s" for name in FEWER_PASSES)], rows)


def batch_table() -> str:
    """Pictures of 768x768 an hour, for several pictures at once."""
    rows = [
        [shape.name, gpu.name, count, f"{seconds:.0f}", f"{3600 * count / seconds:.0f}"]
        for shape in (MHA, GQA)
        for gpu in GPUS[3:]
        for count in (1, 4, 8, 16)
        if count <= most_pictures(shape, BF16, 768, gpu)
        for seconds in [picture_seconds(shape, BF16, gpu, 768, pictures=count) / BF16.reached]
    ]
    return table(["model", "GPU", "pictures at once", "seconds", "pictures an hour"], rows)


def measured_table(measured: Mapping[str, Any]) -> str:
    """Measured steps of the 7B beside their floor, and measured memory beside the sum."""
    rows: list[list[object]] = []
    for row in measured["full_size_rows"]:
        if row["decoding"] != "sequential":
            continue
        precision = INT8 if "int8" in row["precision"] else BF16
        side = int(row["size"].partition("x")[0])
        count = row["batch"]
        tokens = codes_of(side) / 2
        floor = 1000 * pass_seconds(MHA, precision, H100, tokens, count)
        gibibytes = memory(MHA, precision, side, count) / 2**30
        rows.append(
            [
                precision.name,
                row["size"],
                count,
                f"{row['milliseconds_per_pass']:.1f}",
                f"{floor:.1f}",
                f"{floor / row['milliseconds_per_pass']:.2f}",
                f"{row['peak_mib'] / 1024:.1f}",
                f"{gibibytes:.1f}",
            ]
        )
    head = [
        "precision",
        "picture",
        "at once",
        "measured ms a pass",
        "floor ms",
        "share",
        "measured GiB",
        "sum GiB",
    ]
    return table(head, rows)


def wait_table(rows: Iterable[Mapping[str, Any]], *columns: str) -> str:
    """Results of simulations."""
    return table(columns, [[row[column] for column in columns] for row in rows])


def database_table() -> str:
    """Statements a second by kind and number of workers."""
    sizes = (100, 1000, 10_000)
    rows = [[load.name, *(f"{load.per_worker * size:,.0f}" for size in sizes), load.remedy] for load in LOADS]
    return table(["a second", *(f"{size:,} workers" for size in sizes), "less with"], rows)


def page(measured: Mapping[str, Any], fleet: Mapping[str, Any]) -> str:
    """The whole page."""
    values = {
        "mha": f"{cache_bytes_per_token(MHA, BF16):,}",
        "gqa": f"{cache_bytes_per_token(GQA, BF16):,}",
        "fewer_text": FEWER_PASSES["text to image"],
        "fewer_edit": FEWER_PASSES["edit"],
        "seconds": seconds_table(),
        "measured": measured_table(measured),
        "memory": memory_table(),
        "batches": batch_table(),
        "slots": SLOTS,
        "mix": ", ".join(f"{share:.0%} need {seconds} s" for seconds, share in fleet["job_seconds"].items()),
        "time": f"{fleet['seconds']:.0f}",
        "load": fleet["load"],
        "equal_loads": wait_table(fleet["equal_loads"], *WAITS),
        "sized_fleets": wait_table(fleet["sized_fleets"], *WAITS, "dollars_per_1000"),
        "scaled_fleets": wait_table(fleet["scaled_fleets"], *SCALED),
        "claim_limits": wait_table(fleet["claim_limits"], *CLAIMED),
        "database": database_table(),
        "writes": f"{WRITES_PER_SECOND:,.0f}",
        "most_workers": f"{most_workers():,}",
    }
    return TEMPLATE.read_text(encoding="utf-8").format_map(values)
