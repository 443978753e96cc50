"""The bundled model with a second size, 96x96 beside 64x64, by an adapter that was trained in minutes.

These commands made the adapter:

    python -m training.pretokenize --model models/tiny --out runs/wide --examples 8000 --cells 12 \\
        --task text_to_image --seed 31
    python -m training.pretokenize --model models/tiny --out runs/replay --examples 4000 --seed 32
    python -m training.finetune --model models/tiny --data runs/wide --data runs/replay --run runs/sizes \\
        --lora 16 --steps 500 --batch 16 --learning-rate 2e-3 --warmup 20
    python -m training.export --model models/tiny --run runs/sizes --out tests/support/models/two_sizes
"""

import json
from pathlib import Path

import torch

from services.worker.engine.loading.adapters import load_adapter
from services.worker.engine.loading.weight_streaming import load_transformer
from services.worker.engine.model.config import ModelConfig
from training.transformer.model_folder import copy_with_weights

ADAPTER = Path(__file__).with_name("two_sizes")
SIZES = ("64x64", "96x96")


def write_two_size_model(bundled: Path, folder: Path) -> None:
    """Write the bundled model with the adapter in its weights and both sizes in its metadata."""
    config = ModelConfig.from_folder(bundled)
    adapter = load_adapter(ADAPTER, config)
    transformer, _ = load_transformer(bundled, config, torch.float32, torch.device("cpu"), adapter)
    copy_with_weights(bundled, folder, dict(transformer.named_parameters()))
    metadata = folder / "generation_config.json"
    given = json.loads(metadata.read_text(encoding="utf-8"))
    metadata.write_text(json.dumps(given | {"image_sizes": SIZES}), encoding="utf-8")
