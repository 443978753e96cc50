"""The threads of a pass: the caller's and as many more as PyTorch would use."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from typing import Any

import torch


@cache
def _helpers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="pass")


def run_together(work: Callable[..., None], *arguments: Any) -> None:
    """Call `work` in all threads at once; returns when all have left it."""
    helpers = [_helpers().submit(work, *arguments) for _ in range(torch.get_num_threads() - 1)]
    try:
        work(*arguments)
    finally:
        wait(helpers)
