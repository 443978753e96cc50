"""What programs send to OpenAI's images, rebuilt from their sources, and the fields of the answer they read.

Each entry names the file of the program that it was read from. `wants` are the fields of an item of `data` of
which the program takes the first that is there.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from tests.support.gateway.clients import png

Json = dict[str, Any]
STAINLESS = {"x-stainless-retry-count": "0", "x-stainless-lang": "js", "x-stainless-read-timeout": "600"}
BOAT, OTHER = png(256, 256), png(128, 64)


@dataclass(frozen=True)
class Recorded:
    """One request. Either `body` (JSON) or `texts` and `files` (a form) are sent."""

    client: str
    path: str
    wants: tuple[str, ...] = ("b64_json",)
    body: Json | None = None
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    files: tuple[tuple[str, bytes], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    pictures: int = 1
    reads: tuple[str, ...] = ()
    """Fields of the answer beside `data`."""


def transparent_corner() -> bytes:
    """A mask as OpenAI's documents describe it: transparent where the picture may change."""
    mask = Image.new("RGBA", (256, 256), "red")
    mask.paste((0, 0, 0, 0), (0, 0, 128, 128))
    buffer = io.BytesIO()
    mask.save(buffer, "PNG")
    return buffer.getvalue()


GENERATIONS, EDITS = "/openai/v1/images/generations", "/openai/v1/images/edits"
PROMPT = "a red circle"
RECORDED = (
    Recorded(
        "openai-python: types/image_generate_params.py",
        GENERATIONS,
        body={"prompt": PROMPT, "model": "gpt-image-1", "n": 2, "size": "1024x1024", "seed": 3},
        headers={**STAINLESS, "x-stainless-lang": "python"},
        pictures=2,
        reads=("created", "usage", "size", "quality", "background", "output_format"),
    ),
    Recorded(
        "openai-node: resources/images.ts",
        EDITS,
        texts={"prompt": PROMPT, "model": "gpt-image-1", "n": "1", "stream": "false"},
        files=(("image[]", BOAT), ("image[]", OTHER)),
        headers=STAINLESS,
        reads=("created", "usage"),
    ),
    Recorded(
        "Open WebUI: routers/images.py, a model of its own",
        f"{GENERATIONS}?api-version=2025-01-01",
        wants=("url", "b64_json"),
        body={"model": "tiny", "prompt": PROMPT, "n": 1, "size": "512x512", "response_format": "b64_json"},
        headers={"X-OpenWebUI-User-Name": "alice", "X-OpenWebUI-User-Id": "1"},
    ),
    Recorded(
        "Open WebUI: routers/images.py, gpt-image",
        GENERATIONS,
        wants=("url", "b64_json"),
        body={"model": "gpt-image-1", "prompt": PROMPT, "n": 1, "size": "auto"},
    ),
    Recorded(
        "Open WebUI: routers/images.py, edit",
        EDITS,
        wants=("url", "b64_json"),
        texts={"model": "tiny", "prompt": PROMPT, "n": "1", "size": "512x512", "response_format": "url"},
        files=(("image", BOAT),),
    ),
    Recorded(
        "LibreChat: OpenAIImageTools.js",
        GENERATIONS,
        body={
            "model": "gpt-image-1",
            "prompt": PROMPT,
            "n": 1,
            "background": "auto",
            "output_format": "png",
            "quality": "auto",
            "size": "auto",
        },
        headers=STAINLESS,
    ),
    Recorded(
        "LibreChat: OpenAIImageTools.js, edit",
        EDITS,
        texts={"model": "gpt-image-1", "prompt": PROMPT, "quality": "auto", "size": "auto"},
        files=(("image[]", BOAT),),
    ),
    Recorded(
        "LobeChat: createImage.ts",
        GENERATIONS,
        wants=("b64_json", "url"),
        body={"model": "tiny", "n": 1, "prompt": PROMPT, "cfg": 4, "steps": 20, "seed": 7, "width": 512},
        headers=STAINLESS,
        reads=("usage",),
    ),
    Recorded(
        "LobeChat: createImage.ts, edit",
        EDITS,
        wants=("b64_json", "url"),
        texts={"model": "gpt-image-1", "n": "1", "prompt": PROMPT, "input_fidelity": "high"},
        files=(("image", BOAT),),
        headers=STAINLESS,
    ),
    Recorded(
        "Vercel AI SDK: openai-compatible/src/image",
        GENERATIONS,
        body={"model": "tiny", "prompt": PROMPT, "n": 1, "size": "1024x1024"},
        headers={"user-agent": "ai-sdk/openai-compatible/3.0.35"},
    ),
    Recorded(
        "Vercel AI SDK: openai/src/image",
        GENERATIONS,
        body={"model": "dall-e-3", "prompt": PROMPT, "n": 1, "response_format": "b64_json", "style": "vivid"},
        reads=("usage",),
    ),
    Recorded(
        "Vercel AI SDK: openai-compatible/src/image, edit",
        EDITS,
        texts={"model": "tiny", "prompt": PROMPT, "n": "1", "size": "1024x1024"},
        files=(("image", BOAT), ("mask", transparent_corner())),
    ),
    Recorded(
        "Nextcloud: OpenAiAPIService.php",
        GENERATIONS,
        wants=("url", "b64_json"),
        body={"prompt": PROMPT, "size": "1024x1024", "n": 12, "model": "gpt-image-1-mini"},
        pictures=12,
    ),
    Recorded(
        "n8n: OpenAi v2 image/generate, url",
        GENERATIONS,
        wants=("url",),
        body={"prompt": PROMPT, "model": "dall-e-2", "response_format": "url", "n": 1, "quality": "hd"},
    ),
    Recorded(
        "n8n: OpenAi v2 image/generate, gpt-image",
        GENERATIONS,
        body={"prompt": PROMPT, "model": "gpt-image-1-mini", "quality": "medium"},
    ),
)
