"""The part of the page that a GPU's figures fill; measured by hand, for no machine of ours always has one."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def gpu_section(results: Mapping[str, Any]) -> str:
    """From docs/benchmarks/h100.json: small model, the 7B's shape, speculation, image tokenizer."""
    machine = ", ".join(f"{name} {value}" for name, value in results["machine"].items())
    speculation = speculation_table(results["speculation_rows"])
    image_tokenizer = _markdown(
        ("step", "pictures", "size", "seconds", "peak MiB"),
        (row.values() for row in results["image_tokenizer_rows"]),
    )
    return f"""## On one H100

An NVIDIA H100 in a virtual machine of 16 cores. Every test of `tests/cuda` passed on it, in fp32, bf16, int8
and NF4: a row's logits are the same bits in any company, window and piece; speculation, company and resumes
change no token. All of `python -m benchmarks.parity tests/golden/public --device cuda` is within its
tolerances, with fp32 logits at most 2e-5 off. The self-check found no kernel whose rows depend on their
company. 24 of 24 pictures of `python -m benchmarks.devices` were token for token those of the CPU in fp32,
which is not promised. flash-attn was not installed, and its backend has never run.

Machine: {machine}.
Measured read bandwidth: {results["read_bandwidth_gb_per_second"]} GB/s. `peak MiB` is memory of the GPU.
Figures of the same work differed by up to a third: most steps wait for the host, which launches a thousand
kernels and more for one of the 7B's.

The model of 171 million parameters (`python -m benchmarks.engine --device cuda --tokens 48 --precisions fp32
bf16 bf16+int8`). fp32 and bf16 take alike: the host decides. Why transformers is so slow in bf16 was not
looked into.

{_engine_table(results["rows"])}

The 7B's shape with random weights, whose pictures are half drawn when they are measured (`--full-size
--size 768x768 --drawn 4608 --tokens 24`, and `--size 512x512 --drawn 2048`). A guided picture of 768x768
has 9,216 codes and takes 9.25 GiB of cache; eight of them did not fit. Random weights accept next to no
drafts here, so speculation brings nothing. In a bf16 step of one picture (34 ms, profiled) the GPU is
busy 20 ms: 5 ms with products, at nine tenths of the bandwidth, and 13 ms with attention, which is one
small call for each stream and layer. In a step of four (71 ms) attention takes 51 ms.

{_engine_table(results["full_size_rows"])}

The bundled model, one picture of 64x64 at a time (`python -m benchmarks.speculation --device cuda --pictures
2`). All three ways drew the same codes. `passes` is how many times fewer forward passes speculation takes,
`widest` the same with 63 drafts:

{speculation}

The image tokenizer of 270 million parameters, random weights, fp32 (`python -m benchmarks.movqgan
--device cuda --repeats 3`). Pictures of a batch are worked on one after the other, so that none depends
on its company. With cuDNN's convolutions in full float32, decoding 1024x1024 took 1.8 s, and encoding
512x512 took 65 GiB. In TF32 decoding took 0.8 s, but of the codes of pictures decoded and encoded so, 1
to 11 % differed.

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
    """The rows of `benchmarks.speculation` as Markdown."""
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
