"""Draw rounds of edits in three ways of keeping a session, and compare each round with the start."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from benchmarks.session_edits import Cells, RoundTrip, changed_cells
from luminary.local.pipeline import drawn_grid
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.layout.prompts import PictureRequest
from services.worker.engine.request import GenerationRequest
from shared.tasks import Task
from training.judging.engine_generator import EngineGenerator
from training.judging.generator import CodeGrid
from training.judging.metrics import psnr, ssim
from training.judging.verdicts import shows_exactly
from training.scenes.chains import EditStep
from training.scenes.rendering import Picture, render
from training.scenes.world import CELL


class Way(StrEnum):
    """The form in which a turn gets the picture that it starts from."""

    MASKED = "tokens, with a mask"
    TOKENS = "tokens, without a mask"
    PIXELS = "pixels, encoded again each turn"


@dataclass(frozen=True)
class Ask:
    """One edit to draw: the codes it starts from, and the cells that it may change; None for all."""

    codes: CodeGrid
    words: str
    free: Cells | None
    seed: int


@dataclass(frozen=True)
class Compared:
    """A picture against the start of its session; agreement is the share of equal tokens."""

    ssim: float
    psnr: float
    psnr_inside: float
    psnr_outside: float
    agreement: float
    agreement_inside: float
    agreement_outside: float


@dataclass(frozen=True)
class Turn:
    """A picture of a row of different edits."""

    exact: bool
    """True if it shows the exact scene that all instructions so far ask for."""
    ssim_to_truth: float
    untouched_agreement: float | None
    """Share of equal tokens among the cells that no edit so far had to change; None if there is none."""


def draw(generator: EngineGenerator, asked: Sequence[Ask]) -> list[CodeGrid]:
    """The codes of all edits, drawn in one batch."""
    engine = generator.pipeline.engine
    handles = [engine.submit(request_of(generator, ask)) for ask in asked]
    engine.run_until_idle()
    for handle in handles:
        handle.raise_failure()
    return [np.array(drawn_grid(handle).rows(), np.int64) for handle in handles]


def request_of(generator: EngineGenerator, ask: Ask) -> GenerationRequest:
    """The engine's request of one edit."""
    rows, columns = ask.codes.shape
    codes = tuple(ask.codes.reshape(-1).tolist())
    kept = None
    if ask.free is not None:
        free = ask.free.reshape(-1).tolist()
        kept = tuple(None if drawn else code for code, drawn in zip(codes, free, strict=True))
    request = PictureRequest(
        task=Task.EDIT,
        prompt=ask.words,
        size=PictureSize(columns * CELL, rows * CELL),
        given_codes=codes,
        kept_codes=kept,
    )
    return GenerationRequest(generator.pipeline.plan(request), replace(generator.sampling, seed=ask.seed))


def start_of(generator: EngineGenerator, picture: Picture) -> CodeGrid:
    """The codes of the picture that a session starts from."""
    return generator.codec.encode([picture])[0]


def after_turn(generator: EngineGenerator, way: Way, codes: CodeGrid) -> CodeGrid:
    """The codes from which the next turn starts."""
    if way is not Way.PIXELS:
        return codes
    return generator.codec.encode(generator.codec.decode([codes]))[0]


def round_trips(
    generator: EngineGenerator, trips: Sequence[RoundTrip], rounds: int
) -> dict[Way, list[list[Compared]]]:
    """For each way and round, each session against its start; a round is an edit and its inverse."""
    starts = [start_of(generator, render(trip.there.before)) for trip in trips]
    now = {way: list(starts) for way in Way}
    compared: dict[Way, list[list[Compared]]] = {way: [] for way in Way}
    for number in range(rounds):
        for half in range(2):
            asked = [
                Ask(
                    now[way][index],
                    (trip.there, trip.back)[half].instruction,
                    trip.changed if way is Way.MASKED else None,
                    seed=(index * rounds + number) * 2 + half,
                )
                for way in Way
                for index, trip in enumerate(trips)
            ]
            drawn = iter(draw(generator, asked))
            now = {way: [after_turn(generator, way, next(drawn)) for _ in trips] for way in Way}
        for way in Way:
            compared[way].append(
                [
                    compare(generator, codes, start, trip.changed)
                    for codes, start, trip in zip(now[way], starts, trips, strict=True)
                ]
            )
        changed = [one.agreement_outside for one in compared[Way.MASKED][-1] if one.agreement_outside != 1]
        assert not changed, f"a token outside a mask has changed in round {number + 1}"
        print(f"round {number + 1} of {rounds}", flush=True)
    return compared


def compare(generator: EngineGenerator, codes: CodeGrid, start: CodeGrid, changed: Cells) -> Compared:
    """A picture against the start. changed: the cells inside the mask."""
    picture, first = generator.codec.decode([codes, start])
    inside = np.kron(changed, np.ones((CELL, CELL), np.bool_))
    same = codes == start
    return Compared(
        ssim=ssim(picture, first),
        psnr=psnr(picture, first),
        psnr_inside=psnr(picture, first, inside),
        psnr_outside=psnr(picture, first, ~inside),
        agreement=float(same.mean()),
        agreement_inside=float(same[changed].mean()),
        agreement_outside=float(same[~changed].mean()),
    )


def rows_of_turns(
    generator: EngineGenerator, rows: Sequence[Sequence[EditStep]]
) -> dict[Way, list[list[Turn]]]:
    """For each way and turn, each session's picture after so many different edits in a row."""
    starts = [start_of(generator, render(row[0].before)) for row in rows]
    now = {way: list(starts) for way in Way}
    touched = [np.zeros(start.shape, np.bool_) for start in starts]
    turns: dict[Way, list[list[Turn]]] = {way: [] for way in Way}
    for number in range(len(rows[0])):
        steps = [row[number] for row in rows]
        masks = [changed_cells(step) for step in steps]
        asked = [
            Ask(now[way][index], step.instruction, masks[index] if way is Way.MASKED else None, seed)
            for way in Way
            for index, step in enumerate(steps)
            for seed in [1_000_000 + index * 100 + number]
        ]
        drawn = iter(draw(generator, asked))
        now = {way: [after_turn(generator, way, next(drawn)) for _ in rows] for way in Way}
        touched = [before | mask for before, mask in zip(touched, masks, strict=True)]
        for way in Way:
            turns[way].append(
                [
                    judge(generator, codes, start, step, ~cells)
                    for codes, start, step, cells in zip(now[way], starts, steps, touched, strict=True)
                ]
            )
        changed = [one for one in turns[Way.MASKED][-1] if one.untouched_agreement not in {None, 1.0}]
        assert not changed, f"a token outside all masks has changed in turn {number + 1}"
        print(f"turn {number + 1} of {len(rows[0])}", flush=True)
    return turns


def judge(
    generator: EngineGenerator, codes: CodeGrid, start: CodeGrid, step: EditStep, untouched: Cells
) -> Turn:
    """One picture of a row. untouched: cells that no edit so far had to change."""
    [picture] = generator.codec.decode([codes])
    return Turn(
        exact=shows_exactly(picture, step.after),
        ssim_to_truth=ssim(picture, render(step.after)),
        untouched_agreement=float((codes == start)[untouched].mean()) if untouched.any() else None,
    )
