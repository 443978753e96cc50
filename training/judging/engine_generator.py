"""Picture generator for the evaluation that runs the engine and the image tokenizer in this process."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from luminary.local.pipeline import LocalPipeline, drawn_grid
from services.tokenizer.image_codec import decode_grids, encode_pixels, pixels_from_image
from services.tokenizer.movqgan import MoVQGAN
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.layout.prompts import PictureRequest
from services.worker.engine.request import GenerationRequest
from services.worker.engine.sampling.filters import SamplingParameters
from shared.token_grid import TokenGrid
from training.judging.generator import CodeGrid, Drawing, PictureCodec, Question
from training.scenes.rendering import Picture


class MoVQGANCodec:
    """The image tokenizer, for pictures and code grids as numpy arrays."""

    def __init__(self, model: MoVQGAN) -> None:
        self._model = model

    @property
    def codebook_size(self) -> int:
        """Number of codes."""
        return self._model.config.n_embed

    def encode(self, pictures: Sequence[Picture]) -> list[CodeGrid]:
        """The codes of each picture."""
        pixels = [pixels_from_image(Image.fromarray(picture)) for picture in pictures]
        return [np.array(encode_pixels(self._model, one)[0].rows(), np.int64) for one in pixels]

    def decode(self, codes: Sequence[CodeGrid]) -> list[Picture]:
        """The picture of each code grid."""
        return [np.asarray(decode_grids(self._model, [_token_grid(grid)])[0]) for grid in codes]


class EngineGenerator:
    """Draws questions with the engine, which batches them."""

    def __init__(
        self, pipeline: LocalPipeline, sampling: SamplingParameters, codec: PictureCodec | None = None
    ) -> None:
        """codec: decodes and encodes instead of the model's own image tokenizer."""
        self.pipeline = pipeline
        self.sampling = sampling
        self.codec: PictureCodec = codec or MoVQGANCodec(pipeline.movqgan)

    def generate(self, questions: Sequence[Question]) -> list[Drawing]:
        """One drawing per question, in order; the question's seed replaces that of `sampling`."""
        engine = self.pipeline.engine
        handles = [engine.submit(self.request(question)) for question in questions]
        engine.run_until_idle()
        grids = [np.array(drawn_grid(handle).rows(), np.int64) for handle in handles]
        return [self._drawing(question, grid) for question, grid in zip(questions, grids, strict=True)]

    def request(self, question: Question) -> GenerationRequest:
        """The engine's request for a question."""
        plan = self.pipeline.plan(self._picture_request(question))
        return GenerationRequest(plan, replace(self.sampling, seed=question.seed))

    def _picture_request(self, question: Question) -> PictureRequest:
        """The picture request for a question; the upper panel is given as codes."""
        example = question.example
        height, width = example.result.shape[:2]
        panels = 1 if example.partner is None else 2
        return PictureRequest(
            task=example.task,
            prompt=example.prompt,
            size=PictureSize(width, height * panels),
            map=example.control or example.target,
            given_codes=self.given_codes(question),
        )

    def given_codes(self, question: Question) -> tuple[int, ...] | None:
        """Codes of the given panel: as the model drew them in the turn before, or of the true picture."""
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
    """Load the generator of a model folder. Raises EngineError or MoVQGANError.

    guidance_scale: None uses what the model recommends. adapter: name or path of a LoRA adapter to merge.
    """
    pipeline = LocalPipeline.load(folder, adapter=adapter)
    if guidance_scale is None:
        guidance_scale = pipeline.loaded.default_guidance_scale
    sampling = SamplingParameters(guidance_scale=guidance_scale, temperature=temperature, top_k=top_k)
    return EngineGenerator(pipeline, sampling)


def _token_grid(codes: CodeGrid) -> TokenGrid:
    height, width = codes.shape
    return TokenGrid(height=height, width=width, tokens=tuple(codes.reshape(-1).tolist()))
