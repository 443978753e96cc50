"""What the metrics count of an attempt when it ends."""

from collections.abc import Mapping

from services.worker.metrics import ACCEPTED_DRAFTS, CODES, ETA_ERROR, PICTURE_PASSES, STEPS


def count_steps(milliseconds: Mapping[str, float]) -> None:
    """Count the time of every step. milliseconds: by step, see `StepTimes`."""
    for step, time in milliseconds.items():
        STEPS.labels(step).observe(time / 1000)


def count_codes(fresh_codes: int, passes: int) -> None:
    """Count the codes that an attempt has drawn, and its forward passes over all candidates."""
    CODES.inc(fresh_codes)
    PICTURE_PASSES.inc(passes)
    ACCEPTED_DRAFTS.inc(max(0, fresh_codes - passes))


def observe_estimate(error: float | None) -> None:
    """Count the error of the first estimate; None if there was none."""
    if error is not None:
        ETA_ERROR.observe(error)
