"""Medians and ratios of a benchmark's rounds."""

from benchmarks.rounds import Ratio, Row, medians, ratios


def row(engine: str, batch: int, decoding: str, speed: float, mib: int = 0) -> Row:
    return Row(engine, "fp32", batch, decoding, speed, 1000 / speed, 1024, None, mib)


def one_round(slowness: float, speculative: float) -> list[Row]:
    """A machine that is so many times slower in this round, for everything alike."""
    return [
        row("transformers", 1, "sequential", 10 / slowness),
        row("luminary", 1, "sequential", 40 / slowness, mib=int(100 * slowness)),
        row("luminary", 1, "speculative", speculative / slowness),
        row("luminary", 8, "sequential", 160 / slowness),
    ]


ROUNDS = [one_round(1, 50), one_round(4, 60), one_round(2, 40)]


def test_a_figure_is_the_median_over_the_rounds() -> None:
    assert [each.tokens_per_second for each in medians(ROUNDS)] == [5, 20, 20, 80]
    assert medians(ROUNDS)[1].peak_mib == 100


def test_a_ratio_is_not_touched_by_what_slows_a_whole_round() -> None:
    assert ratios(ROUNDS) == [
        Ratio("fp32", "one picture to transformers in fp32", 4, 4, 4),
        Ratio("fp32", "speculative to sequential, pictures: 1", 1.25, 1, 1.5),
        Ratio("fp32", "8 pictures to one", 4, 4, 4),
    ]
