"""Toy sizes for training, and the training program as a process."""

import subprocess
from collections.abc import Callable

from training.smoke import SmokeSizes

SIZES = SmokeSizes(tokenizer_steps=8, examples=64, steps=12)

Program = Callable[..., subprocess.Popen[str]]
"""program(run, *options, processes=1) starts `training.finetune` on the small scene world."""


def finish(process: subprocess.Popen[str]) -> str:
    """Wait until the program ends and return its output. Fails if its exit status is not 0."""
    with process:
        output, _ = process.communicate(timeout=400)
    assert process.returncode == 0, output
    return output
