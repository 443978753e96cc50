"""The GPU section of docs/benchmarks.md. Its measurements are started by hand, on a machine with a GPU."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def gpu_section(results: Mapping[str, Any]) -> str:
    """The section in Markdown, from docs/benchmarks/h100.json.

    It covers a small model, the 7B's shape, speculation and the image tokenizer.
    """
    machine = ", ".join(f"{name} {value}" for name, value in results["machine"].items())
    speculation = speculation_table(results["speculation_rows"])
    image_tokenizer = _markdown(
        ("step", "pictures", "size", "seconds", "peak MiB"),
        (row.values() for row in results["image_tokenizer_rows"]),
    )
    return f"""## On one H100

The GPU is an NVIDIA H100 in a virtual machine with 16 cores. All tests of `tests/cuda` passed on it, in fp32,
bf16, int8 and NF4: the logits of a row have the same bits with any batch neighbours, window of drafts and
piece of a prompt, and neither speculation nor neighbours nor resumes change a token. All comparisons of
`python -m benchmarks.parity tests/golden/public --device cuda` are within their tolerances; fp32 logits
differ by at most 2e-5. The self-check found no kernel that is not batch-invariant. In fp32, 24 of 24 pictures
of `python -m benchmarks.devices` were equal to the CPU's, token for token, which is not guaranteed.
flash-attn was not installed, and its backend has never been run.

Machine: {machine}.
Measured read bandwidth: {results["read_bandwidth_gb_per_second"]} GB/s. `peak MiB` is GPU memory.
Repeated measurements differed by up to a third: most steps wait for the host, which launches more than a
thousand kernels for one step of the 7B.

The next table has the model of 171 million parameters (`python -m benchmarks.engine --device cuda --tokens 48
--precisions fp32 bf16 bf16+int8`). fp32 and bf16 have about the same speed, because the host is the
bottleneck. The slow bf16 result of transformers was not investigated.

{_engine_table(results["rows"])}

The next table has the 7B's shape with random weights. The pictures are half drawn when the measurement begins
(`--full-size --size 768x768 --drawn 4608 --tokens 24`, and `--size 512x512 --drawn 2048`). A guided picture
of 768x768 has 9,216 codes and needs 9.25 GiB of cache; eight of them did not fit. With random weights almost
no drafts are accepted, so speculation saves nothing here. In a profiled bf16 step of one picture (34 ms) the
GPU is busy for 20 ms: 5 ms with matrix products, at 90 % of the bandwidth, and 13 ms with attention, which is
one small call for each stream and layer. In a step of four pictures (71 ms) attention takes 51 ms.

{_engine_table(results["full_size_rows"])}

The next table has the bundled model, one picture of 64x64 at a time (`python -m benchmarks.speculation
--device cuda --pictures 2`). All three ways of decoding drew the same codes. `passes` is the number of
sequential forward passes divided by that of speculative ones, `widest` the same with 63 drafts:

{speculation}

The last table has the image tokenizer of 270 million parameters with random weights in fp32 (`python -m
benchmarks.movqgan --device cuda --repeats 3`). The pictures of a batch are processed one after the other, so
that none depends on its batch neighbours. With cuDNN's convolutions in full float32, decoding 1024x1024 took
1.8 s, and encoding 512x512 took 65 GiB. With TF32 decoding took 0.8 s, but after decoding and encoding, 1 to
11 % of the codes differed.

{image_tokenizer}
"""


def _engine_table(rows: Sequence[Mapping[str, Any]]) -> str:
    headings = (
        *("engine", "precision", "pictures", "size", "decoding"),
        *("tokens/s", "ms a pass", "bandwidth", "peak MiB"),
    )
    cells = [
        (
            row["engine"],
            row["precision"],
            row["batch"],
            row.get("size", "256x256"),
            row["decoding"],
            f"{row['tokens_per_second']:.1f}",
            f"{row['milliseconds_per_pass']:.1f}",
            "" if row["bandwidth_fraction"] is None else f"{row['bandwidth_fraction']:.3f}",
            row["peak_mib"] or "",
        )
        for row in rows
    ]
    return _markdown(headings, cells)


def speculation_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows of `benchmarks.speculation` as a Markdown table."""
    columns = {
        "task": "task",
        "codes": "codes",
        "sequential s": "seconds_sequential",
        "speculative s": "seconds_speculative",
        "time": "time_ratio",
        "passes": "pass_ratio",
        "widest": "pass_ratio_widest",
    }
    return _markdown(tuple(columns), ([row[name] for name in columns.values()] for row in rows))


def _markdown(headings: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)
