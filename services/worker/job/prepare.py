"""Turn a job's request into a request to the engine: sizes, pictures, masks, prompt, sampling."""

from dataclasses import dataclass
from uuid import UUID

from services.worker.composite import Backdrop
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.layout.prompts import PictureRequest
from services.worker.engine.layout.sequence_plan import plan_sequence
from services.worker.engine.loading.load import LoadedModel
from services.worker.engine.sampling.filters import SamplingParameters
from services.worker.job.candidates import Recipe
from services.worker.job.failures import failure
from services.worker.job.input_images import GivenPicture, PictureSource
from services.worker.job.kept_cells import Canvas, Codes, Layers, kept_cells
from services.worker.job.token_checkpoint import recipe_of
from services.worker.model.picture_sizes import TrainedSizes
from services.worker.model.whole_identity import WholeIdentity
from shared.job_errors import JobErrorCode
from shared.job_store import ClaimedJob
from shared.pictures.mask_modes import MaskMode
from shared.schemas.jobs import JobRequest
from shared.seeds import SEED_LIMIT
from shared.sizes import CELL_PIXELS
from shared.tasks import MapKind


@dataclass(frozen=True)
class PreparedJob:
    """A job as a request to the engine. backdrop: the canvas whose pixels are put back; None if none are."""

    picture: PictureRequest
    recipe: Recipe
    backdrop: Backdrop | None = None


class Preparation:
    """Prepares jobs for one loaded model."""

    def __init__(
        self, loaded: LoadedModel, identity: WholeIdentity, source: PictureSource, sizes: TrainedSizes
    ) -> None:
        """identity: its short name is part of every recipe."""
        self._loaded = loaded
        self._identity = identity
        self._sizes = sizes
        self._source = source

    def prepare(self, claimed: ClaimedJob) -> PreparedJob:
        """Validate the request and fetch its pictures.

        Raises pydantic's ValidationError, PromptError, JobFailureError, and errors of tokenizer, storage and
        database.
        """
        asked = JobRequest.model_validate(claimed.request)
        picture, canvas = self._picture(claimed.project_id, asked)
        sampling = SamplingParameters(
            guidance_scale=(
                self._loaded.default_guidance_scale if asked.guidance_scale is None else asked.guidance_scale
            ),
            top_k=asked.top_k,
            temperature=asked.temperature,
            seed=seed_of(claimed.lease.job_id) if asked.seed is None else asked.seed,
        )
        check_guidance(asked, sampling)
        plan = plan_sequence(self._loaded.vocabulary, self._loaded.text_tokenizer, picture)
        sha256 = recipe_of(str(self._identity.id), plan, sampling)
        recipe = Recipe(plan, sampling, asked.drawn, sha256, asked.n if asked.best_of else None)
        return PreparedJob(picture, recipe, self._backdrop(claimed.project_id, asked, canvas))

    def _backdrop(self, project_id: UUID, asked: JobRequest, canvas: Canvas | None) -> Backdrop | None:
        if canvas is None or asked.canvas is None or not asked.puts_pixels_back:
            return None
        return self._source.backdrop(project_id, asked.canvas, canvas.grid)

    def _picture(self, project_id: UUID, asked: JobRequest) -> tuple[PictureRequest, Canvas | None]:
        """The request to the engine, and its canvas if it has one."""
        task = asked.task
        size = PictureSize.parse(asked.size) if asked.size else None
        if size is None and asked.aspect_ratio:
            size = self._sizes.nearest(task, asked.aspect_ratio)
        if size is not None and not asked.allow_untrained_size:
            self._sizes.check(task, size)
        given = self._given(project_id, asked, size) if task.takes_image else None
        map_name = asked.control or asked.target
        result = given.size if given else size or self._sizes.default(task)
        canvas = self._canvas(project_id, asked, result, given)
        picture = PictureRequest(
            task=task,
            prompt=asked.prompt or "",
            size=result,
            map=MapKind(map_name.value) if map_name else None,
            given_codes=given.grid.tokens if given else None,
            kept_codes=self._kept(project_id, asked, result, canvas),
            negative_prompt=asked.negative_prompt,
        )
        return picture, canvas

    def _given(self, project_id: UUID, asked: JobRequest, size: PictureSize | None) -> GivenPicture | None:
        if asked.image is None:
            return None
        sizes = self._sizes.unlimited() if asked.allow_untrained_size else self._sizes
        return self._source.codes(project_id, asked.image, size, sizes)

    def _kept(
        self, project_id: UUID, asked: JobRequest, size: PictureSize, canvas: Canvas | None
    ) -> Codes | None:
        """The cells that the request keeps; None if it draws the whole result."""
        if canvas is None and not asked.region_from:
            return None
        freed = None
        if asked.mask is not None:
            freed = self._source.free_cells(project_id, asked.mask, size, asked.mask_mode or MaskMode.AUTO)
        regions = [
            (region, self._source.canvas(project_id, region.image, size).grid)
            for region in asked.region_from or ()
        ]
        rows, columns = size.height // CELL_PIXELS, size.width // CELL_PIXELS
        return kept_cells(asked, rows, columns, Layers(canvas, freed, regions))

    def _canvas(
        self, project_id: UUID, asked: JobRequest, size: PictureSize, given: GivenPicture | None
    ) -> Canvas | None:
        if asked.canvas is None:
            return None
        if asked.keep_from is None and given is not None and asked.variation_strength is None:
            return Canvas(given.grid)
        return self._source.canvas(project_id, asked.canvas, None if asked.extend else size)


def check_guidance(asked: JobRequest, sampling: SamplingParameters) -> None:
    """Raise JobFailureError for a field that has no effect without guidance, if the model has none."""
    for name in ("best_of", "negative_prompt"):
        if getattr(asked, name) is not None and sampling.guidance_scale == 1:
            raise failure(
                JobErrorCode.INVALID_REQUEST,
                f"{name} needs guidance, and the model's own guidance_scale is 1: send a guidance_scale.",
            )


def seed_of(job_id: UUID) -> int:
    """The seed of a job without one in its request; it is the same for every attempt."""
    return job_id.int % SEED_LIMIT
