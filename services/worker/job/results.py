"""Decode drawn codes, store the pictures, and build the answer that is committed."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import UUID

from services.worker.composite import REACH_CELLS, Backdrop, put_back
from services.worker.engine.layout.prompts import PictureRequest
from services.worker.job.candidates import Drawing, drawn_rows
from services.worker.job.certainty import of_result
from services.worker.job.prepare import PreparedJob
from services.worker.job.provenance import add_text, add_to_recipe, describe, png_size
from services.worker.job.token_checkpoint import CandidateTokens
from services.worker.model.identity import ModelIdentity
from services.worker.tokenizer_client import go_on
from shared.fingerprints import fingerprint
from shared.job_store import (
    Answer,
    ClaimedJob,
    Output,
    StoredImage,
    UndecodedOutput,
    UsageAmounts,
    UsedCanvas,
)
from shared.schemas.image_tokenizer import ImageTokenizerModel
from shared.storage import StoredObject, answer_folder
from shared.tasks import Task
from shared.token_grid import TokenGrid

PNG = "image/png"


@dataclass(frozen=True)
class DecodedPicture:
    """A decoded candidate whose file is not stored yet. text: the chunks that its PNG file gets."""

    grid: TokenGrid
    png: bytes
    text: Mapping[str, str]
    score: float | None
    partial: bool
    certainty: bytes | None = None
    canvas: UsedCanvas | None = None
    changed_cells: int | None = None


class PictureDecoder(Protocol):
    """The part of the tokenizer service that decodes; see `TokenizerClient`."""

    @property
    def model(self) -> ImageTokenizerModel: ...

    def decode(self, grid: TokenGrid, check: Callable[[], None] = go_on) -> bytes: ...


class PictureStorage(Protocol):
    """The part of the object storage that takes pictures; see `ObjectStorage`."""

    def put_image(self, folder: str, data: bytes, media_type: str) -> StoredObject: ...


class ResultStore:
    """Decodes grids and stores the pictures. Calls raise the errors of tokenizer and storage.

    A picture's bytes and its key depend only on the job: an attempt that repeats the work of an earlier one
    finds its object already stored, and a late attempt changes nothing. No other job uses the key.
    """

    def __init__(
        self,
        tokenizer: PictureDecoder,
        storage: PictureStorage,
        identity: Callable[[], ModelIdentity | None],
        *,
        fingerprints: bool = True,
    ) -> None:
        """identity: written into every picture, to show which model drew it.

        fingerprints: whether pictures are added to the registry.
        """
        self._tokenizer = tokenizer
        self._storage = storage
        self._identity = identity
        self._fingerprints = fingerprints
        self._seconds_per_code: float | None = None

    def decode(
        self, job: PreparedJob, index: int, drawn: CandidateTokens, check: Callable[[], None] = go_on
    ) -> DecodedPicture | None:
        """Decode one candidate, or its complete rows if it is not finished; None if no row is complete.

        check: called about every second; an exception from it ends the wait.
        """
        undecoded = self.undecoded(job, index, drawn)
        if undecoded is None:
            return None
        certainty = of_result(job.recipe.plan, drawn.certainty)
        picture = replace(
            self._decoded(undecoded, check),
            certainty=certainty,
            changed_cells=None if undecoded.partial else changed_cells(job.picture, undecoded.grid),
        )
        if job.backdrop is None or picture.partial:
            return picture
        return self._composed(picture, job.backdrop, check)

    def _composed(
        self, picture: DecodedPicture, backdrop: Backdrop, check: Callable[[], None]
    ) -> DecodedPicture:
        """The picture with the canvas' pixels where its cells are kept."""
        file = backdrop.file or self._tokenizer.decode(backdrop.grid, check)
        added = {"composite": {"canvas_tokens_sha256": backdrop.grid.sha256(), "reach_cells": REACH_CELLS}}
        png = put_back(picture.png, picture.grid, file, backdrop.grid)
        used = None
        if backdrop.file is not None and backdrop.image_id is not None:
            used = UsedCanvas(backdrop.image_id, bytes.fromhex(backdrop.grid.sha256()))
        return replace(picture, png=png, text=add_to_recipe(picture.text, added), canvas=used)

    def store(self, claimed: ClaimedJob, index: int, picture: DecodedPicture) -> Output:
        """Store the file of one candidate. index: its number among the drawn ones."""
        output = self._store(answer_folder(claimed.project_id, claimed.lease.job_id, index), picture)
        return replace(
            output,
            drawn_index=index,
            certainty=picture.certainty,
            canvas=picture.canvas,
            changed_cells=picture.changed_cells,
        )

    def _store(self, folder: str, picture: DecodedPicture) -> Output:
        stored = self._storage.put_image(folder, add_text(picture.png, picture.text), PNG)
        width, height = png_size(picture.png)
        return Output(
            StoredImage(stored.key, stored.sha256, PNG, stored.byte_size, width, height),
            picture.grid,
            self._tokenizer.model.tokenizer,
            score=picture.score,
            partial=picture.partial,
            fingerprint=fingerprint(picture.png, picture.grid) if self._fingerprints else None,
        )

    def undecoded(self, job: PreparedJob, index: int, drawn: CandidateTokens) -> UndecodedOutput | None:
        """Return what `finish` needs to decode one candidate; None if no row is complete.

        It calls no server, so that a cancellation is confirmed at once.
        """
        plan = job.recipe.plan
        grid = drawn_rows(plan, drawn.codes)
        if grid is None:
            return None
        partial = len(drawn.codes) < len(plan.free_positions)
        text = describe(
            job.picture, job.recipe.sampling, image=index, grid=grid, model=self._made_with(), partial=partial
        )
        score = drawn.score if job.recipe.sampling.guidance_scale != 1 else None
        return UndecodedOutput(index, grid, text, score, partial)

    def expected_seconds(self, job: PreparedJob) -> float:
        """Expected time in seconds to decode all pictures of a job.

        Until this worker has decoded a picture, the estimate uses the speed that the service reports.
        """
        plan = job.recipe.plan
        codes = len(plan.result_rows) * plan.shape.columns * job.recipe.kept
        return codes * (self._seconds_per_code or self._tokenizer.model.decode_seconds_per_code)

    def _learn(self, seconds_per_code: float) -> None:
        before = self._seconds_per_code
        self._seconds_per_code = seconds_per_code if before is None else (before + seconds_per_code) / 2

    def finish(
        self, project_id: UUID, job_id: UUID, undecoded: UndecodedOutput, check: Callable[[], None] = go_on
    ) -> Output:
        """Decode and store the picture of a canceled job. check: as in `decode`."""
        folder = answer_folder(project_id, job_id, undecoded.position)
        return self._store(folder, self._decoded(undecoded, check))

    def _decoded(self, undecoded: UndecodedOutput, check: Callable[[], None]) -> DecodedPicture:
        text = add_to_recipe(undecoded.png_text, {"image_tokenizer": self._tokenizer.model.tokenizer})
        started = time.monotonic()
        decoded = self._tokenizer.decode(undecoded.grid, check)
        self._learn((time.monotonic() - started) / len(undecoded.grid.tokens))
        return DecodedPicture(undecoded.grid, decoded, text, undecoded.score, undecoded.partial)

    def _made_with(self) -> Mapping[str, Any]:
        identity = self._identity()
        return {} if identity is None else identity.as_text()


def changed_cells(request: PictureRequest, grid: TokenGrid) -> int | None:
    """Number of cells of an edit whose code differs from the given picture's; None for other tasks."""
    given = request.given_codes
    if request.task is not Task.EDIT or given is None or len(given) != len(grid.tokens):
        return None
    return sum(before != after for before, after in zip(given, grid.tokens, strict=True))


def answer_of(
    outputs: list[Output], drawing: Drawing, model: str, undecoded: Sequence[UndecodedOutput] = ()
) -> Answer:
    """The answer with the outputs and the job's usage over all attempts, which counts all that was drawn.

    model: its name.
    """
    usage = UsageAmounts(
        images=drawing.recipe.candidates if outputs else 0,
        prompt_tokens=drawing.recipe.plan.text_tokens,
        tokens_done=drawing.tokens_done,
        compute_seconds=drawing.compute_seconds,
    )
    scores = None if drawing.recipe.keep is None else tuple(one.score for one in drawing.candidates())
    return Answer(tuple(outputs), usage, tuple(undecoded), scores, model)
