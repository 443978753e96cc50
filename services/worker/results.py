"""From drawn codes to pictures in the storage and an answer that can be committed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.worker.drawing import Drawing, drawn_rows
from services.worker.preparation import PreparedJob
from services.worker.provenance import add_text, describe, png_size
from services.worker.token_checkpoint import CandidateTokens
from services.worker.tokenizer_client import TokenizerClient
from shared.job_store import Answer, ClaimedJob, Output, StoredImage, UsageAmounts
from shared.storage import ObjectStorage, answer_folder
from shared.token_grid import TokenGrid

PNG = "image/png"


@dataclass(frozen=True)
class DecodedPicture:
    """A candidate as a file that is not stored yet."""

    grid: TokenGrid
    png: bytes
    score: float | None
    partial: bool


class ResultStore:
    """Decodes grids and stores the pictures. Calls raise what tokenizer and storage raise.

    A picture's bytes depend on the job alone, so its key does, too: an attempt that repeats another's work
    finds its picture stored, and one that comes late changes nothing. No other job has this key.
    """

    def __init__(self, tokenizer: TokenizerClient, storage: ObjectStorage, model: Mapping[str, Any]) -> None:
        """model: what every picture says of the model that drew it."""
        self._tokenizer = tokenizer
        self._storage = storage
        self._model = model

    def decode(self, job: PreparedJob, index: int, drawn: CandidateTokens) -> DecodedPicture | None:
        """One candidate as a file: all of it, or the rows that are complete; None without any."""
        plan = job.recipe.plan
        grid = drawn_rows(plan, drawn.codes)
        if grid is None:
            return None
        partial = len(drawn.codes) < len(plan.free_positions)
        return DecodedPicture(
            grid,
            self._png(job, index, grid, partial=partial),
            drawn.score if job.recipe.sampling.guidance_scale != 1 else None,
            partial,
        )

    def store(self, claimed: ClaimedJob, index: int, picture: DecodedPicture) -> Output:
        """Put the file of one candidate into the storage."""
        folder = answer_folder(claimed.project_id, claimed.lease.job_id, index)
        stored = self._storage.put_image(folder, picture.png, PNG)
        width, height = png_size(picture.png)
        return Output(
            StoredImage(stored.key, stored.sha256, PNG, stored.byte_size, width, height),
            picture.grid,
            self._tokenizer.model.tokenizer,
            score=picture.score,
            partial=picture.partial,
        )

    def _png(self, job: PreparedJob, index: int, grid: TokenGrid, *, partial: bool) -> bytes:
        text = describe(
            job.picture,
            job.recipe.sampling,
            image=index,
            grid=grid,
            model={**self._model, "image_tokenizer": self._tokenizer.model.tokenizer},
            partial=partial,
        )
        return add_text(self._tokenizer.decode(grid), text)


def answer_of(outputs: list[Output], drawing: Drawing) -> Answer:
    """The outputs, and what the job has used over all its attempts."""
    usage = UsageAmounts(
        images=len(outputs),
        prompt_tokens=drawing.recipe.plan.image_start,
        image_tokens=drawing.tokens_done,
        compute_seconds=drawing.compute_seconds,
    )
    return Answer(tuple(outputs), usage)
