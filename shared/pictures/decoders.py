"""Decode pictures in child processes with limits of memory and time, shared fairly between keys.

Child processes start when they are first needed and are kept. If one dies, only the picture that it was
decoding fails, and another process replaces it.
"""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from shared.pictures.converting import Conversion
from shared.pictures.crop_sizes import Size
from shared.pictures.errors import (
    ERRORS_BY_CODE,
    DecodersBusyError,
    ImageTooComplexError,
    ImageUnreadableError,
)
from shared.pictures.fair_turns import FairTurns
from shared.pictures.mask_modes import MaskMode
from shared.pictures.masks import CellMask
from shared.pictures.opening import PictureFacts
from shared.pictures.wire import LENGTHS, Frame
from shared.pictures.work import Convert, CutOut, Fit, Inspect, Panel, ReadMask, Work, question

ROOT = Path(__file__).parents[2]
KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ", "PYTHONHOME")
"""Variables that child processes get. A file that exploits a decoder finds no secrets in its environment."""
FAULTS_OF_A_PICTURE = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL})
LARGEST_HEAD, LARGEST_BODY = 1 << 16, 1 << 26
"""Limits of an answer in bytes, so that a compromised child process cannot fill the parent's memory."""
PATIENCE = 6
"""Waiting time as a multiple of the CPU time limit: the machine may be busy, or the child frozen."""

DYING_SECONDS = 2.0
"""Time that a child process gets to end after it has closed its pipe."""


@dataclass(frozen=True)
class DecoderLimits:
    """Number of child processes, and the limits of each."""

    processes: int = 2
    per_key: int = 1
    """Processes that pictures of one key may occupy."""
    most_waiting: int = 32
    """Pictures of one key that may wait."""
    cpu_seconds: float = 10.0
    """CPU seconds for one picture; the slowest normal pictures of 40 million pixels take about three."""
    memory_bytes: int = 2 << 30
    """Address space of one process."""


class Decoders:
    """A pool of child processes. Each method raises ImageError. `key` is the owner of the picture."""

    def __init__(self, limits: DecoderLimits | None = None) -> None:
        self._limits = limits or DecoderLimits()
        self._turns = FairTurns(self._limits.processes, self._limits.per_key, self._limits.most_waiting)
        self._idle: list[Process] = []

    async def inspect(self, data: bytes, max_pixels: int, key: Hashable = None) -> PictureFacts:
        """Decode a picture completely, and return its format and size."""
        return Inspect.result(await self._run(Inspect(max_pixels), data, key))

    async def fit(self, data: bytes, max_pixels: int, fit: int | Size, key: Hashable = None) -> Panel:
        """The picture in RGB, scaled and cropped by `fitting.fit_to`."""
        return Fit.result(await self._run(Fit(max_pixels, fit), data, key))

    async def read_mask(
        self, data: bytes, *, max_pixels: int, size: Size, cell: int, mode: MaskMode, key: Hashable = None
    ) -> CellMask:
        """The cells that a mask frees; see `masks.read_mask`."""
        return ReadMask.result(await self._run(ReadMask(max_pixels, size, cell, mode), data, key))

    async def convert(
        self, data: bytes, max_pixels: int, conversion: Conversion, key: Hashable = None
    ) -> bytes:
        """The picture in another format or size; see `converting.convert`."""
        work = Convert(max_pixels, conversion.media_type, conversion.quality, conversion.side)
        return Convert.result(await self._run(work, data, key))

    async def cut_out(
        self, data: bytes, segmentation: bytes, max_pixels: int, conversion: Conversion, key: Hashable = None
    ) -> tuple[bytes, float]:
        """The picture with a transparent background, and the share that is left: `cutting_out.cut_out`."""
        work = CutOut(max_pixels, conversion.media_type, conversion.quality, len(data))
        return CutOut.result(await self._run(work, data + segmentation, key))

    async def close(self) -> None:
        """End the idle processes. There are no others if no caller waits."""
        while self._idle:
            await end(self._idle.pop())

    async def _run(self, work: Work, data: bytes, key: Hashable) -> Frame:
        asked = question(work, data, self._limits.cpu_seconds)
        async with self._turns.turn(key):
            answer = await self._ask(asked)
        if "error" in answer.head:
            raise ERRORS_BY_CODE[answer.head["error"]](answer.head["message"])
        return answer

    async def _ask(self, asked: Frame) -> Frame:
        """Send the request to a child process. If an idle one has died in the meantime, try another one."""
        while True:
            was_idle = bool(self._idle)
            child = self._idle.pop() if was_idle else await start(self._limits.memory_bytes)
            answer = None
            try:
                async with asyncio.timeout(self._limits.cpu_seconds * PATIENCE):
                    answer = await exchange(child, asked)
            except TimeoutError as error:
                raise DecodersBusyError("the machine was too busy to decode the picture") from error
            finally:
                if answer is None:
                    await end(child)
                else:
                    self._idle.append(child)
            if answer is not None:
                return answer
            death = self._error_of_death(child.returncode)
            if not was_idle or not death.retryable:
                raise death

    def _error_of_death(
        self, status: int | None
    ) -> ImageTooComplexError | ImageUnreadableError | DecodersBusyError:
        if status == -signal.SIGPROF:
            seconds = f"{self._limits.cpu_seconds:g}"
            return ImageTooComplexError(f"decoding the picture takes more than {seconds} s of CPU time")
        if status is not None and -status in FAULTS_OF_A_PICTURE:
            return ImageUnreadableError("the picture crashes the decoder")
        return DecodersBusyError("the process that decoded the picture was killed")


async def start(memory_bytes: int) -> Process:
    """Start a child process; it inherits no open files. Raises DecodersBusyError."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    # One BLAS thread: further ones would only take address space.
    environment = {**kept, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = (sys.executable, "-m", "shared.pictures.decoder", str(memory_bytes))
    try:
        return await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, env=environment)
    except OSError as error:
        raise DecodersBusyError("no decoder process could be started") from error


async def exchange(child: Process, asked: Frame) -> Frame | None:
    """The child's answer; None if it has died or sent an invalid answer. It is ended then."""
    try:
        return await ask(child, asked)
    except (ConnectionError, asyncio.IncompleteReadError):
        await end_dying(child)
    except ValueError:
        await end(child)
    return None


async def ask(child: Process, asked: Frame) -> Frame:
    """The child's answer. Raises ConnectionError, IncompleteReadError, or ValueError if it is invalid."""
    if child.stdin is None or child.stdout is None:
        raise ConnectionError
    child.stdin.write(asked.encoded())
    child.stdin.write(asked.body)
    await child.stdin.drain()
    head, body = LENGTHS.unpack(await child.stdout.readexactly(LENGTHS.size))
    if head > LARGEST_HEAD or body > LARGEST_BODY:
        raise ValueError
    encoded = await child.stdout.readexactly(head)
    return Frame(json.loads(encoded), await child.stdout.readexactly(body))


async def end_dying(child: Process) -> None:
    """Wait until a child that has closed its pipe ends; kill it after DYING_SECONDS.

    Killing a process that has just died would make its `returncode` 255 (asyncio asks the system for the
    status twice), but the status is needed: it shows whether the picture was the cause.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(DYING_SECONDS):
            await child.wait()
    await end(child)


async def end(child: Process) -> None:
    """Kill the child if it is still running, and wait for its end."""
    if child.returncode is None:
        with suppress(ProcessLookupError):
            child.kill()
    if child.stdin is not None:
        child.stdin.close()
    await asyncio.shield(child.wait())
