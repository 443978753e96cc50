"""Picture generator for the evaluation that runs the engine on a model of the larger world."""

from pathlib import Path

from luminary.local.pipeline import LocalPipeline
from services.worker.engine.sampling.filters import SamplingParameters
from training.judging.engine_generator import EngineGenerator
from training.judging.generator import Question
from training.world.code_reading import SpelledCodec
from training.world.examples import WorldExample


class WorldGenerator(EngineGenerator):
    """Draws questions with the engine; given pictures have their exact codes."""

    def given_codes(self, question: Question) -> tuple[int, ...] | None:
        """Codes of the given panel: as the model drew them in the turn before, or the true ones."""
        if question.given is not None and question.given.codes is not None:
            return tuple(question.given.codes.reshape(-1).tolist())
        if not isinstance(question.example, WorldExample):
            raise TypeError("the question is not about the larger world")
        codes = question.example.given_codes
        return None if codes is None else tuple(codes.reshape(-1).tolist())


def load_world_generator(folder: Path, *, spelled: bool, guidance_scale: float | None) -> WorldGenerator:
    """Load the generator of a model folder. Raises EngineError or MoVQGANError.

    spelled: read pictures from their codes instead of decoding them with the image tokenizer.
    guidance_scale: None uses what the model recommends.
    """
    pipeline = LocalPipeline.load(folder)
    if guidance_scale is None:
        guidance_scale = pipeline.loaded.default_guidance_scale
    sampling = SamplingParameters(guidance_scale=guidance_scale, temperature=1.0, top_k=None)
    return WorldGenerator(pipeline, sampling, SpelledCodec() if spelled else None)
