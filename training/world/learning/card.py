"""The model card of the larger world's model; its head lists the words that the model knows."""

import textwrap
from pathlib import Path

from services.worker.engine.model.config import ModelConfig
from training.world.codes import alphabet
from training.world.known_words import known_words
from training.world.nouns import COLOURS, KINDS, SCENERIES, SIZES, TIMES, WEATHERS
from training.world.scene import CANVASES

CARD = "MODEL_CARD.md"

_TEXT = """\
# Luminary world

An omni model in the layout and with the code path of Lumina-mGPT 2.0, trained from scratch by
`training/world` (see `TRAIN.md`). Apache-2.0, like the code.

| | |
|---|---|
| decoder | {millions:.2f} million parameters: {layers} layers, hidden {hidden}, {heads} heads |
| image tokenizer | MoVQGAN, 8 pixels a token, {codes} codes |
| pictures | {sizes} pixels |
| recommended | guidance 2, temperature 1 |

## Data
The larger world of `training/world`: {kinds} things in {colours} colours, plain, striped or dotted, in
{things} sizes; {sceneries} sceneries at {times} times of day and in {weathers} weathers; exact maps, edits
and prompts. All of it is drawn by the code of this repository; no picture, text or weight comes from
elsewhere. Pairs of thing and colour, pairs of things and described relations are held out of all training.

## Limits
It knows the words of its world, in English, and nothing else. Its image tokenizer knows the world alone; a
photograph comes out as nonsense.
"""


def write_card(folder: Path, config: ModelConfig, parameters: int) -> None:
    """Write MODEL_CARD.md of a model folder."""
    text = _TEXT.format(
        millions=parameters / 1e6,
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        heads=config.num_attention_heads,
        codes=len(alphabet()),
        sizes=", ".join(map(str, CANVASES)),
        kinds=len(KINDS),
        colours=len(COLOURS),
        things=len(SIZES),
        sceneries=len(SCENERIES),
        times=len(TIMES),
        weathers=len(WEATHERS),
    )
    words = textwrap.fill(
        ", ".join(_quoted(word) for word in known_words()), width=116, subsequent_indent="  "
    )
    (folder / CARD).write_text(f"---\nknows: [{words}]\n---\n{text}", encoding="utf-8")


def _quoted(word: str) -> str:
    """The word as a text in YAML, where digits, `no` and `on` have other meanings."""
    return word if word.isalpha() and word not in {"no", "on", "off", "yes", "y", "n"} else f'"{word}"'
