"""At which sizes a picture of unknown origin is encoded, and how often callers may ask."""

import pytest

from services.api.problems.codes import Problem
from services.api.provenance.pace import CheckPace
from services.api.provenance.sizes import sizes_to_try

DRAWN = [(768, 768), (512, 512), (1024, 512)]


@pytest.mark.parametrize(
    ("width", "height", "sizes"),
    [
        (768, 768, [(768, 768), (512, 512)]),
        (700, 700, [(696, 696), (768, 768), (512, 512)]),
        (1000, 500, [(1000, 496), (1024, 512)]),
        (203, 101, [(200, 96), (1024, 512)]),
        (4000, 4000, [(768, 768), (512, 512)]),
        (8, 8, [(512, 512), (768, 768)]),
        (31, 900, []),
    ],
)
def test_its_own_size_comes_first_then_drawn_sizes_of_its_shape(
    width: int, height: int, sizes: list[tuple[int, int]]
) -> None:
    assert sizes_to_try(width, height, DRAWN) == sizes


def test_a_caller_waits_after_its_share_and_others_do_not() -> None:
    now = [0.0]
    pace = CheckPace(3, lambda: now[0])
    for _ in range(3):
        pace.take("a")
    with pytest.raises(Problem) as refused:
        pace.take("a")
    assert refused.value.headers["Retry-After"] == "21"
    pace.take("b")
    now[0] += 20.0
    pace.take("a")
    with pytest.raises(Problem):
        pace.take("a")
