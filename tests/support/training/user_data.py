"""Write data sets as users do, pictures and conversations, and encode them."""

from collections.abc import Sequence
from pathlib import Path

from click.testing import CliRunner, Result
from PIL import Image

from training.tokenize_data import main

IMAGE = "<|image|>"

DEPTH_PAIR = (
    "Generate a dual-panel image of 64x128 where the <lower half> displays a <depth map>, while the "
    "<upper half> retains the original image for direct visual comparison:\na ball"
)


def picture(folder: Path, name: str, size: tuple[int, int] = (64, 64), shade: int = 128) -> str:
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    image.paste((shade, 255 - shade, 60), (8, 8, size[0] // 2, size[1] // 2))
    image.save(folder / name)
    return name


def conversation(*texts: str, pictures: Sequence[str]) -> dict[str, object]:
    turns = [
        {"from": ("human", "gpt")[place % 2], "value": text}
        for place, text in enumerate(part for text in texts for part in (text, IMAGE))
    ]
    return {"conversations": turns, "image": list(pictures)}


def run(world: Path, data: Path, *options: str) -> Result:
    """Encode a data set with an untrained image tokenizer."""
    arguments = ["--model", str(world / "start"), "--data", str(data), "--out", str(data.parent / "out")]
    return CliRunner().invoke(main, [*arguments, "--threads", "1", "--allow-unknown-pictures", *options])
