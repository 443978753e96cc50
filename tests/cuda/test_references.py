"""What was recorded from the reference, and the image tokenizer's own promises, on a GPU."""

from pathlib import Path

import pytest
import torch

from benchmarks.parity.__main__ import main
from services.tokenizer.movqgan import MoVQGAN, MoVQGANConfig, load_movqgan

ROOT = Path(__file__).parents[2]
PUBLIC = ROOT / "tests/golden/public"


def test_the_public_set_passes_as_a_whole(device: torch.device, capsys: pytest.CaptureFixture[str]):
    assert main([str(PUBLIC), "--device", str(device)]) == 0, capsys.readouterr().out


@pytest.fixture(scope="module")
def movqgan(device: torch.device) -> MoVQGAN:
    return load_movqgan(ROOT / "models/tiny/movqgan", device=device)


def test_a_picture_is_decoded_and_encoded_alike_in_any_company(movqgan: MoVQGAN):
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(movqgan.config.n_embed, (8, 16, 12), generator=generator)
    together = movqgan.decode(codes)
    again = movqgan.encode(together)
    for index in range(len(codes)):
        alone = movqgan.decode(codes[index : index + 1])
        assert torch.equal(alone[0], together[index])
        assert torch.equal(movqgan.encode(alone)[0], again[index])


def test_a_picture_takes_little_memory_beside_the_weights(device: torch.device):
    if device.type != "cuda":
        pytest.skip("counts the memory of a GPU")
    full_size = MoVQGAN(MoVQGANConfig.preset("270M")).to(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    full_size.encode(torch.zeros(1, 3, 512, 512))
    assert torch.cuda.max_memory_allocated(device) - before < 4 << 30


def test_convolutions_are_left_as_they_were(movqgan: MoVQGAN):
    before = torch.backends.cudnn.enabled
    movqgan.decode(torch.zeros(1, 2, 2, dtype=torch.int64))
    assert torch.backends.cudnn.enabled == before
