"""From a job's request to what the engine draws: sizes, pictures, masks, prompt, sampling."""

from dataclasses import dataclass
from uuid import UUID

from services.worker.drawing import Recipe
from services.worker.engine.loading import LoadedModel
from services.worker.engine.prompts import PictureRequest, keep_where
from services.worker.engine.sampling import SamplingParameters
from services.worker.engine.sequence_plan import plan_sequence
from services.worker.engine.tasks import MapKind, PictureSize, Task
from services.worker.token_cache import GivenPicture, PictureSource
from services.worker.token_checkpoint import recipe_of
from shared.job_store import ClaimedJob
from shared.schemas.jobs import JobRequest

SEED_LIMIT = 1 << 63


@dataclass(frozen=True)
class PreparedJob:
    """A job in the engine's terms."""

    picture: PictureRequest
    recipe: Recipe


class Preparation:
    """Lays jobs out for one loaded model."""

    def __init__(self, loaded: LoadedModel, model_name: str, source: PictureSource) -> None:
        """model_name: of the weights and their precision; part of every recipe."""
        self._loaded = loaded
        self._model_name = model_name
        self._source = source

    def prepare(self, claimed: ClaimedJob) -> PreparedJob:
        """Read the request and fetch what it names.

        Raises pydantic's ValidationError, PromptError, JobFailureError, and what tokenizer, storage and
        database raise.
        """
        asked = JobRequest.model_validate(claimed.request)
        picture = self._picture(claimed.project_id, asked)
        sampling = SamplingParameters(
            guidance_scale=(
                self._loaded.default_guidance_scale if asked.guidance_scale is None else asked.guidance_scale
            ),
            top_k=asked.top_k,
            temperature=asked.temperature,
            seed=seed_of(claimed.lease.job_id) if asked.seed is None else asked.seed,
        )
        plan = plan_sequence(self._loaded.vocabulary, self._loaded.text_tokenizer, picture)
        return PreparedJob(
            picture, Recipe(plan, sampling, asked.n, recipe_of(self._model_name, plan, sampling))
        )

    def _picture(self, project_id: UUID, asked: JobRequest) -> PictureRequest:
        task = Task(asked.task.value)
        size = PictureSize.parse(asked.size) if asked.size else None
        given = self._given(project_id, asked, size) if task.takes_image else None
        map_name = asked.control or asked.target
        return PictureRequest(
            task=task,
            prompt=asked.prompt or "",
            size=given.size if given else size or self._loaded.default_size,
            map=MapKind.parse(map_name.value) if map_name else None,
            given_codes=given.grid.tokens if given else None,
            kept_codes=self._kept(project_id, asked.mask, given) if given and asked.mask else None,
        )

    def _given(self, project_id: UUID, asked: JobRequest, size: PictureSize | None) -> GivenPicture | None:
        if asked.image is None:
            return None
        return self._source.codes(project_id, asked.image, size, self._loaded.default_size)

    def _kept(self, project_id: UUID, mask: str, given: GivenPicture) -> tuple[int | None, ...]:
        """The given codes wherever the mask is not white."""
        white = self._source.white_cells(project_id, mask, given.size)
        return keep_where(tuple(not cell for cell in white), given.grid.tokens)


def seed_of(job_id: UUID) -> int:
    """The seed of a job that names none: the same for each of its attempts."""
    return job_id.int % SEED_LIMIT
