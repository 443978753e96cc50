"""Run all checks on a fixture set and format the results as a table."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from benchmarks.parity import (
    checkpoint_checks,
    generation_checks,
    image_tokenizer_checks,
    jacobi_checks,
    picture_checks,
    processor_checks,
    prompt_checks,
    transformer_checks,
)
from benchmarks.parity.comparison import Comparison, failure
from benchmarks.parity.fixture_set import FixtureSet
from shared.errors import LuminaryError


@dataclass(frozen=True)
class Check:
    """A function that yields comparisons, and the files that it needs."""

    run: Callable[[FixtureSet], Iterator[Comparison]]
    files: tuple[str, ...]


CHECKS = (
    Check(prompt_checks.check_vocabulary, (prompt_checks.IDS,)),
    Check(prompt_checks.check_prompts, (prompt_checks.PROMPTS,)),
    Check(prompt_checks.check_whole_picture, (prompt_checks.WHOLE_PICTURE,)),
    Check(picture_checks.check_crop_table, (picture_checks.CROPS,)),
    Check(picture_checks.check_cropped_pixels, (picture_checks.CROP_BEFORE,)),
    Check(picture_checks.check_whitened_picture, (picture_checks.ALPHA_BEFORE, picture_checks.ALPHA_AFTER)),
    Check(picture_checks.check_whitened_modes, (picture_checks.WHITENED, picture_checks.WHITENED_MODES)),
    Check(transformer_checks.check_transformer, (transformer_checks.FILE,)),
    Check(image_tokenizer_checks.check_movqgan, (image_tokenizer_checks.FILE,)),
    Check(processor_checks.check_guidance, (processor_checks.CFG, processor_checks.CFG_SCORES)),
    Check(processor_checks.check_single_tokens, (processor_checks.SINGLE, processor_checks.SINGLE_SCORES)),
    Check(processor_checks.check_public_ids, (processor_checks.PUBLIC_IDS, processor_checks.PUBLIC_SCORES)),
    Check(processor_checks.check_windows, (processor_checks.WINDOWS, processor_checks.WINDOW_SCORES)),
    Check(jacobi_checks.check_trace, (jacobi_checks.TRACE, jacobi_checks.TENSORS)),
    Check(generation_checks.check_greedy, (generation_checks.GREEDY,)),
    Check(generation_checks.check_first_steps, (generation_checks.GREEDY, generation_checks.FIRST_STEPS)),
    Check(generation_checks.check_generated_pictures, (generation_checks.GREEDY,)),
    Check(checkpoint_checks.check_decoder_map, (checkpoint_checks.DECODER,)),
    Check(checkpoint_checks.check_image_tokenizer_map, (checkpoint_checks.IMAGE_TOKENIZER,)),
)


def compare(fixtures: FixtureSet) -> Iterator[Comparison]:
    """Run all checks whose files exist; a missing file of the manifest is a miss."""
    for file in sorted(fixtures.listed):
        if not fixtures.has(file):
            yield failure(file, "file of the manifest", "missing")
    for check in CHECKS:
        if all(fixtures.has(file) for file in check.files):
            yield from _guarded(check, fixtures)


def _guarded(check: Check, fixtures: FixtureSet) -> Iterator[Comparison]:
    try:
        yield from check.run(fixtures)
    except (LuminaryError, OSError, LookupError, ValueError, TypeError, RuntimeError) as error:
        # a damaged file must not prevent the other checks
        yield failure(check.files[0], check.run.__name__, f"{type(error).__name__}: {error}")


def table(rows: Iterable[Comparison]) -> Iterator[str]:
    """Lines with fixed columns: fixture, what, error, tolerance, ok or MISS."""
    yield f"{'fixture':<44} {'compared':<44} {'error':>9} {'allowed':>9}"
    for row in rows:
        verdict = "ok" if row.ok else f"MISS  {row.note}".rstrip()
        yield f"{row.fixture:<44} {row.what:<44} {row.error:>9.2g} {row.tolerance:>9.2g}  {verdict}"
