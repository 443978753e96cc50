"""Measure the speed of decoding on this machine, for estimates of a picture's time."""

import time

import torch

from services.tokenizer.movqgan import MoVQGAN

SIDE = 16
"""Side of the grid that is decoded, in codes; a smaller one would take three times as long per code."""


@torch.inference_mode()
def decode_seconds_per_code(model: MoVQGAN) -> float:
    """Seconds of decoding per code, measured once and used only for estimates.

    On a CPU this is CPU time divided by the threads, because other processes may be loading their models on
    the same cores meanwhile.
    """
    codes = torch.zeros(1, SIDE, SIDE, dtype=torch.long)
    is_on_cpu = next(model.parameters()).device.type == "cpu"
    clock = time.process_time if is_on_cpu else time.perf_counter
    started = clock()
    # the copy waits until the device has finished
    model.decode(codes).cpu()
    threads = torch.get_num_threads() if is_on_cpu else 1
    return (clock() - started) / threads / SIDE**2
