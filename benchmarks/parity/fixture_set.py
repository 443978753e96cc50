"""A folder of fixtures: access to its files, and to its models, which are loaded at first use."""

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from services.tokenizer.movqgan import MoVQGAN, load_movqgan
from services.worker.engine.kernels.precision import Precision
from services.worker.engine.layout.image_grammar import ImageGrammar
from services.worker.engine.layout.text_tokenizer import TextTokenizer
from services.worker.engine.layout.vocabulary import Vocabulary
from services.worker.engine.loading.load import LoadedModel, load_model
from shared.errors import LuminaryError


class NotAFixtureSetError(LuminaryError):
    """The folder has no manifest of a fixture set, or none of the listed files."""

    code = "fixture_set_invalid"
    hint = "Name a folder with the layout of tests/golden/public."


class FixtureSet:
    """Files and models of a fixture set. Raises NotAFixtureSetError."""

    def __init__(self, folder: Path, device: str | torch.device = "cpu") -> None:
        """device: device of the models."""
        self.folder = folder
        self.device = torch.device(device)
        try:
            manifest: Any = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
            self.listed = frozenset(str(entry["file"]) for entry in manifest["files"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise NotAFixtureSetError(f"{folder} has no manifest.json of a fixture set: {error!r}") from error
        if not any(self.has(file) for file in self.listed):
            raise NotAFixtureSetError(f"{folder} has none of the files that its manifest.json lists")

    def has(self, file: str) -> bool:
        return (self.folder / file).is_file()

    def path(self, file: str) -> Path:
        return self.folder / file

    def json(self, file: str) -> Any:
        return json.loads(self.path(file).read_text(encoding="utf-8"))

    def tensors(self, file: str) -> dict[str, Tensor]:
        return load_file(self.path(file))

    def arrays(self, file: str) -> dict[str, Tensor]:
        """The arrays of an npz file, as tensors."""
        with np.load(self.path(file)) as arrays:
            return {name: torch.from_numpy(arrays[name]) for name in arrays.files}

    @cached_property
    def text_tokenizer(self) -> TextTokenizer:
        return TextTokenizer.from_folder(self.path("transformer"))

    @cached_property
    def vocabulary(self) -> Vocabulary:
        text = self.text_tokenizer
        size = self.json("transformer/config.json")["vocab_size"]
        return Vocabulary.from_names(text.token_ids, begin_name=text.begin_name, size=size)

    @cached_property
    def grammar(self) -> ImageGrammar:
        return ImageGrammar(self.vocabulary)

    @cached_property
    def fp32(self) -> LoadedModel:
        """The engine's decoder in float32, whatever the dtype of the saved weights."""
        return load_model(self.path("transformer"), Precision(torch.float32), self.device)

    @cached_property
    def bf16(self) -> LoadedModel:
        return load_model(self.path("transformer"), Precision(torch.bfloat16), self.device)

    @cached_property
    def movqgan(self) -> MoVQGAN:
        return load_movqgan(self.movqgan_file, device=self.device)

    @property
    def movqgan_file(self) -> Path:
        """The checkpoint in `movqgan/`. Raises FileNotFoundError."""
        files = sorted(self.path("movqgan").glob("*.ckpt"))
        if not files:
            raise FileNotFoundError(f"{self.path('movqgan')} has no .ckpt file")
        return files[0]
