"""The model under test: engine and image tokenizer in this process, behind the evaluation's protocol."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from luminary.local.pipeline import LocalPipeline, drawn_grid
from services.tokenizer.image_codec import decode_grids, encode_pixels, pixels_from_image
from services.tokenizer.movqgan import MoVQGAN
from services.worker.engine.prompts import PictureRequest
from services.worker.engine.request import GenerationRequest
from services.worker.engine.sampling import SamplingParameters
from services.worker.engine.tasks import MapKind, PictureSize, Task
from shared.token_grid import TokenGrid
from training.judging.generator import CodeGrid, Drawing, Question
from training.scenes.rendering import Picture


class MoVQGANCodec:
    """The image tokenizer over pictures and code grids in numpy."""

    def __init__(self, model: MoVQGAN) -> None:
        self._model = model

    @property
    def codebook_size(self) -> int:
        """How many codes there are."""
        return self._model.config.n_embed

    def encode(self, pictures: Sequence[Picture]) -> list[CodeGrid]:
        """The codes of each picture."""
        pixels = [pixels_from_image(Image.fromarray(picture)) for picture in pictures]
        return [np.array(encode_pixels(self._model, one)[0].rows(), np.int64) for one in pixels]

    def decode(self, codes: Sequence[CodeGrid]) -> list[Picture]:
        """The picture of each code grid."""
        return [np.asarray(decode_grids(self._model, [_token_grid(grid)])[0]) for grid in codes]


class EngineGenerator:
    """Draws every question with the engine, all of them batched as the engine sees fit."""

    def __init__(self, pipeline: LocalPipeline, sampling: SamplingParameters) -> None:
        self.pipeline = pipeline
        self.sampling = sampling
        self.codec = MoVQGANCodec(pipeline.movqgan)

    def generate(self, questions: Sequence[Question]) -> list[Drawing]:
        """One drawing for each question; its seed takes the place of the sampling's."""
        engine = self.pipeline.engine
        handles = [engine.submit(self.request(question)) for question in questions]
        engine.run_until_idle()
        grids = [np.array(drawn_grid(handle).rows(), np.int64) for handle in handles]
        return [self._drawing(question, grid) for question, grid in zip(questions, grids, strict=True)]

    def request(self, question: Question) -> GenerationRequest:
        """The question as the engine takes it."""
        plan = self.pipeline.plan(self._picture_request(question))
        return GenerationRequest(plan, replace(self.sampling, seed=question.seed))

    def _picture_request(self, question: Question) -> PictureRequest:
        """The question in the engine's words; the upper panel goes in as codes."""
        example = question.example
        height, width = example.result.shape[:2]
        panels = 1 if example.partner is None else 2
        shown = example.control or example.target
        return PictureRequest(
            task=Task(example.task),
            prompt=example.prompt,
            size=PictureSize(width, height * panels),
            map=None if shown is None else MapKind.parse(shown),
            given_codes=self._given_codes(question),
        )

    def _given_codes(self, question: Question) -> tuple[int, ...] | None:
        """The tokens that the model drew itself stay as they are; only true pictures are encoded."""
        if question.given is not None and question.given.codes is not None:
            return tuple(question.given.codes.reshape(-1).tolist())
        if question.example.given is None:
            return None
        return tuple(self.codec.encode([question.example.given])[0].reshape(-1).tolist())

    def _drawing(self, question: Question, grid: CodeGrid) -> Drawing:
        picture = self.codec.decode([grid])[0]
        if question.example.partner is None:
            return Drawing(picture, codes=grid)
        upper, lower = np.split(picture, 2)
        return Drawing(upper, lower, grid)


def load_generator(
    folder: Path,
    *,
    guidance_scale: float | None,
    temperature: float,
    top_k: int | None,
    adapter: str | None = None,
) -> EngineGenerator:
    """The model of a folder with its image tokenizer. Raises EngineError or MoVQGANError.

    guidance_scale: what the model recommends, if None. adapter: the name or the path of a LoRA adapter to
    merge in.
    """
    pipeline = LocalPipeline.load(folder, adapter=adapter)
    if guidance_scale is None:
        guidance_scale = pipeline.loaded.default_guidance_scale
    sampling = SamplingParameters(guidance_scale=guidance_scale, temperature=temperature, top_k=top_k)
    return EngineGenerator(pipeline, sampling)


def _token_grid(codes: CodeGrid) -> TokenGrid:
    height, width = codes.shape
    return TokenGrid(height=height, width=width, tokens=tuple(codes.reshape(-1).tolist()))
