"""Noise is standard Gumbel noise, and depends only on its place."""

from decimal import Context, Decimal, localcontext
from math import exp, isclose, log, pi, sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from services.worker.engine.sampling import noise as noise_module
from services.worker.engine.sampling.noise import NOISE_VERSION, gumbel_noise, noise_name
from shared.noise_keys import NoiseSecret, position_key

EULER_GAMMA = 0.5772156649015329
MASK64 = (1 << 64) - 1
ANY_SEED = st.integers(-(1 << 63), MASK64)


def noise(seed: int, image: int, positions: range, tokens: range) -> Tensor:
    return gumbel_noise(seed, image, positions, torch.tensor(tokens))


def uniforms(values: Tensor) -> Tensor:
    """The uniform variables that Gumbel noise was made from, sorted."""
    return torch.exp(-torch.exp(-values.double())).flatten().sort().values


def correlation(first: Tensor, second: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]).double())[0, 1])


def splitmix64(state: int) -> int:
    value = (state + 0x9E3779B97F4A7C15) & MASK64
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK64
    return value ^ (value >> 31)


def lowbias32(value: int, key: int = 0) -> int:
    value = ((value ^ (value >> 16)) * 0x7FEB352D & 0xFFFFFFFF) ^ key
    value = (value ^ (value >> 15)) * 0x846CA68B & 0xFFFFFFFF
    return value ^ (value >> 16)


def uniform_integer(seed: int, image: int, position: int, token: int) -> int:
    """The signed 32-bit hash of a place, in unbounded integers."""
    stream = splitmix64((splitmix64(seed & MASK64) + image * 0x9E3779B97F4A7C15) & MASK64)
    keys = splitmix64((stream + position * 0x9E3779B97F4A7C15) & MASK64)
    hashed = lowbias32(lowbias32(token) ^ (keys & 0xFFFFFFFF), keys >> 32)
    return hashed - (1 << 32) if hashed >> 31 else hashed


def exact_gumbel(tail: Decimal, *, upper: bool) -> float:
    """-ln(-ln u) to 30 digits, for u = 1 - tail (upper) or u = tail."""
    with localcontext(Context(prec=30)):
        return float(-(-(1 - tail if upper else tail).ln()).ln())


def test_splitmix64_is_the_published_generator():
    # first outputs for seed 1234567, from the test vectors of the public implementations
    state, outputs = 1234567, []
    for _ in range(3):
        outputs.append(splitmix64(state))
        state += 0x9E3779B97F4A7C15
    assert outputs == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@settings(max_examples=50, deadline=None)
@given(ANY_SEED, st.integers(0, 1000), st.integers(-300, 20_000), st.integers(0, 200_000))
def test_every_value_is_the_gumbel_variable_of_its_hash(seed: int, image: int, position: int, token: int):
    value = float(noise(seed, image, range(position, position + 1), range(token, token + 1)))
    uniform = uniform_integer(seed, image, position, token)
    magnitude = uniform if uniform >= 0 else -1 - uniform
    exact = exact_gumbel((magnitude + Decimal("0.5")) / (1 << 32), upper=uniform >= 0)
    assert isclose(value, exact, abs_tol=1e-5)


def test_the_bits_are_the_same_on_every_machine():
    bits = noise(2**64 - 1, 3, range(-1, 2), range(16_381, 16_384)).view(torch.int32)
    assert bits.tolist() == [
        [1064834683, 1051556306, 1049126631],
        [-1080087339, 1054270674, 1080032727],
        [1070572483, 1061268413, -1085615025],
    ]


@pytest.mark.parametrize("upper", [True, False])
def test_no_value_of_the_table_depends_on_the_machines_logarithm(*, upper: bool):
    # Logarithms of float64 differ between machines in their last bits. So numbers with 30 digits, and numbers
    # that differ from them by a few such bits, must all round to the same float32.
    magnitudes = [
        (128 + step) * Decimal(2) ** (octave - 7) for octave in range(-1, 31) for step in range(128)
    ]
    exact = torch.tensor(
        [exact_gumbel(magnitude / (1 << 32), upper=upper) for magnitude in magnitudes], dtype=torch.float64
    )
    values, _ = noise_module._table(torch.device("cpu"))
    first = 0x3F00 if upper else 0xBF00
    for step in (-1, 0, 1):
        near = exact + step * 2.0**-50 * (1 + exact.abs())
        assert torch.equal(near.float(), values[first : first + len(magnitudes)])


@settings(max_examples=30, deadline=None)
@given(ANY_SEED, st.integers(1, 40), st.integers(1, 700), st.integers(0, 2**31), st.data())
def test_any_part_of_a_block_has_the_same_noise(
    seed: int, rows: int, count: int, first: int, data: st.DataObject
):
    first = min(first, (1 << 31) - count)
    block = noise(seed, 0, range(rows), range(first, first + count))
    row, column = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, count - 1))
    below = noise(seed, 0, range(row, rows), range(first, first + count))
    right = noise(seed, 0, range(rows), range(first + column, first + count))
    single = noise(seed, 0, range(row, row + 1), range(first + column, first + column + 1))
    assert torch.equal(block[row:], below)
    assert torch.equal(block[:, column:], right)
    assert torch.equal(block[row : row + 1, column : column + 1], single)


def test_rows_and_tokens_may_come_in_any_order():
    positions, tokens = torch.randperm(50), torch.randperm(333)
    block = noise(5, 1, range(50), range(333))
    assert torch.equal(gumbel_noise(5, 1, positions.tolist(), tokens), block[positions][:, tokens])


def test_seeds_count_modulo_two_to_the_64():
    assert torch.equal(noise(-1, 0, range(3), range(9)), noise(MASK64, 0, range(3), range(9)))


@pytest.mark.parametrize("seed", [0, 1, -(2**63), 2**64 - 1])
def test_the_uniforms_pass_kolmogorov_and_smirnov(seed: int):
    sample = uniforms(noise(seed, 0, range(64), range(16_384)))
    steps = torch.arange(1, len(sample) + 1, dtype=torch.float64) / len(sample)
    distance = float((sample - steps).abs().max())
    assert distance * sqrt(len(sample)) < 1.95  # one correct sample in a thousand exceeds this


@pytest.mark.parametrize("axis", ["token", "position", "image", "seed"])
def test_uniforms_along_one_counter_fill_their_bins_evenly(axis: str):
    count = 2_000
    values = {
        "token": lambda: noise(9, 0, range(3, 4), range(count)),
        "position": lambda: noise(9, 0, range(count), range(3, 4)),
        "image": lambda: torch.stack([noise(9, image, range(1), range(1)) for image in range(count)]),
        "seed": lambda: torch.stack([noise(seed, 0, range(1), range(1)) for seed in range(count)]),
    }[axis]()
    bins = torch.histc(uniforms(values), 50, 0, 1)
    chi_square = float(((bins - count / 50) ** 2 / (count / 50)).sum())
    assert chi_square < 85.4  # 49 degrees of freedom; one correct sample in a thousand exceeds this


def test_mean_variance_and_tails_are_those_of_gumbel():
    values = noise(11, 0, range(256), range(16_384)).double()
    assert isclose(float(values.mean()), EULER_GAMMA, abs_tol=5 * pi / sqrt(6 * values.numel()))
    assert isclose(float(values.var()), pi**2 / 6, abs_tol=0.01)
    for level in (4.0, 8.0, 11.0):
        expected = -values.numel() * (exp(-exp(-level)) - 1)
        assert abs(int((values > level).sum()) - expected) < 5 * sqrt(expected)
    for level in (-1.0, -2.0, -2.4):
        expected = values.numel() * exp(-exp(-level))
        assert abs(int((values < level).sum()) - expected) < 5 * sqrt(expected)


def test_the_largest_values_reach_beyond_what_24_bits_could_give():
    largest = max(float(noise(seed, 0, range(64), range(16_384)).max()) for seed in range(40))
    assert largest > -log(-log(1 - 2.0**-24))


def test_neighbours_of_every_kind_are_independent():
    block = noise(21, 4, range(100), range(5_000))
    neighbours = {
        "position": noise(21, 4, range(1, 101), range(5_000)),
        "token": noise(21, 4, range(100), range(1, 5_001)),
        "image": noise(21, 5, range(100), range(5_000)),
        "seed": noise(22, 4, range(100), range(5_000)),
        "seed for image": noise(4, 21, range(100), range(5_000)),
        "far seed": noise(21 + 2**32, 4, range(100), range(5_000)),
    }
    for name, other in neighbours.items():
        # correlation of the noise, and of its upper tail, on which the argmax depends
        assert abs(correlation(block, other)) < 5 / sqrt(block.numel()), name
        both = int(((block > 4.6) & (other > 4.6)).sum())
        expected = block.numel() * (1 - exp(-exp(-4.6))) ** 2
        assert abs(both - expected) < 5 * sqrt(expected), name


SECRET = NoiseSecret.from_text("a secret for these tests")
KEYS = [15410107228655230293, 17774019963010572809, 2967135009056754652, 2967135009056754652]


def test_without_a_secret_the_noise_is_that_of_every_installation() -> None:
    place = (7, 0, range(3), torch.arange(5))
    assert torch.equal(gumbel_noise(*place), gumbel_noise(*place, None))
    assert noise_name(None) == NOISE_VERSION


def test_a_secret_gives_noise_that_nothing_else_gives() -> None:
    place = (7, 0, range(64), torch.arange(500))
    plain, secret = gumbel_noise(*place), gumbel_noise(*place, SECRET)
    other = gumbel_noise(*place, NoiseSecret.from_text("another secret for tests"))
    assert abs(correlation(plain, secret)) < 0.02
    assert abs(correlation(other, secret)) < 0.02
    assert torch.equal(secret, gumbel_noise(*place, NoiseSecret.from_text(" a secret for these tests\n")))
    assert noise_name(SECRET) == f"1 secret {SECRET.fingerprint}"


def test_the_noise_of_a_secret_never_changes() -> None:
    """Whoever has kept seed and secret draws the picture again."""
    keys = [position_key(seed, image, 3, SECRET) for seed, image in ((0, 0), (7, 1), (-1, 0), (2**64 - 1, 0))]
    assert keys == KEYS
    assert keys[2] == keys[3]


def test_a_secret_is_long_and_not_shown() -> None:
    with pytest.raises(ValueError, match="at least 16 characters"):
        NoiseSecret.from_text("  too short      ")
    assert repr(SECRET) == f"NoiseSecret(fingerprint='{SECRET.fingerprint}')"
