"""Write the output and the errors of a batch whose requests are done, one line for each request.

The files are written in parts while the lines are read in pages, so a batch of any size needs the memory of a
part. A gateway that dies leaves a file that nobody sees; the next one writes a new file.
"""

import json
from collections.abc import AsyncGenerator, Collection
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from services.api.auth.api_keys import Caller
from services.api.jobs.finished import succeeded
from services.api.jobs.repository import read_job
from services.api.openai.batches.line_errors import describe_problem
from services.api.openai.batches.requests import fields_of, wanted_of
from services.api.openai.batches.steps import TakenBatch, write
from services.api.openai.files.parts import PART_BYTES, read_range
from services.api.openai.files.repository import find_file
from services.api.openai.files.store import begin_file, mark_stored, note_size, put_part
from services.api.openai.images.responses import images_response
from services.api.openai.wire.routing import as_openai
from services.api.problems.codes import Problem
from services.api.process.gateway import Gateway
from shared.ids import IdKind, format_id
from shared.job_store.clock import database_time, time_after
from shared.job_view.view import JobRows
from shared.tables import BatchState, LineState, OpenAIBatchLine, OpenAIFile

PAGE = 20
KEEP_SECONDS = 30 * 86_400
"""Results expire after so long, as OpenAI's do."""
NOT_DONE = {
    BatchState.EXPIRED: ("batch_expired", "The batch has expired before this request was done."),
    BatchState.CANCELLED: ("batch_cancelled", "The batch was cancelled before this request was done."),
}
Json = dict[str, Any]


async def write_files(gateway: Gateway, caller: Caller, batch: TakenBatch) -> None:
    """One step: write both files and end the batch. Raises BatchLostError, StorageError."""
    row = batch.row
    done = await write_file(gateway, caller, batch, {LineState.SUCCEEDED})
    others = await write_file(gateway, caller, batch, set(LineState) - {LineState.SUCCEEDED})
    ends = BatchState(row.ending or BatchState.COMPLETED)

    def end(session: Session) -> None:
        files = [file for file in (done, others) if file is not None]
        write(
            session,
            batch,
            state=ends.value,
            ended_at=database_time(),
            output_file_id=None if done is None else done.id,
            error_file_id=None if others is None else others.id,
        )
        for file in files:
            mark_stored(session, file, file.byte_size)
        session.execute(
            delete(OpenAIBatchLine)
            .where(OpenAIBatchLine.batch_id == row.id)
            .execution_options(synchronize_session=False)
        )

    async with gateway.database.transaction() as session:
        await session.run_sync(end)


async def write_file(
    gateway: Gateway, caller: Caller, batch: TakenBatch, states: Collection[LineState]
) -> OpenAIFile | None:
    """Write the lines in these states to a file that nobody sees yet; None if there are none."""
    file: OpenAIFile | None = None
    buffer, index = bytearray(), 0
    async for text in texts(gateway, caller, batch, states):
        buffer += text
        while len(buffer) >= PART_BYTES:
            file = file or await begin_result(gateway, batch, states)
            await store_part(gateway, batch, file, index, bytes(buffer[:PART_BYTES]))
            del buffer[:PART_BYTES]
            index += 1
    if buffer:
        file = file or await begin_result(gateway, batch, states)
        await store_part(gateway, batch, file, index, bytes(buffer))
    return file


async def begin_result(gateway: Gateway, batch: TakenBatch, states: Collection[LineState]) -> OpenAIFile:
    """The row of a result's file."""
    kind = "output" if LineState.SUCCEEDED in states else "error"
    values = {
        "purpose": "batch_output",
        "file_name": f"{format_id(IdKind.BATCH, batch.row.id)}_{kind}.jsonl",
        "byte_size": 0,
        "expires_at": time_after(KEEP_SECONDS),
    }
    return await begin_file(gateway, batch.row.project_id, values)


async def store_part(gateway: Gateway, batch: TakenBatch, file: OpenAIFile, index: int, data: bytes) -> None:
    """Note the size, so that a sweeper finds the part, and store it. Raises BatchLostError, StorageError."""
    async with gateway.database.transaction() as session:
        await session.run_sync(write, batch)
        await session.run_sync(note_size, file, index * PART_BYTES + len(data))
    file.byte_size = index * PART_BYTES + len(data)
    await put_part(gateway, file, index, data)


async def texts(
    gateway: Gateway, caller: Caller, batch: TakenBatch, states: Collection[LineState]
) -> AsyncGenerator[bytes]:
    """The text of each line in these states, in order. Raises StorageError."""
    after = 0
    while True:
        async with gateway.database.transaction() as session:
            await session.run_sync(write, batch)
            lines = await session.run_sync(page_of_lines, batch.row.id, states, after)
        for line in lines:
            yield json.dumps(await result_of(gateway, caller, batch, line)).encode() + b"\n"
        if len(lines) < PAGE:
            return
        after = lines[-1].number


def page_of_lines(
    session: Session, batch_id: UUID, states: Collection[LineState], after: int
) -> list[OpenAIBatchLine]:
    """The next PAGE lines in these states."""
    statement = (
        select(OpenAIBatchLine)
        .where(
            OpenAIBatchLine.batch_id == batch_id,
            OpenAIBatchLine.number > after,
            OpenAIBatchLine.state.in_([state.value for state in states]),
        )
        .order_by(OpenAIBatchLine.number)
        .limit(PAGE)
    )
    return list(session.scalars(statement))


async def result_of(gateway: Gateway, caller: Caller, batch: TakenBatch, line: OpenAIBatchLine) -> Json:
    """One line of a result, in OpenAI's form. Raises StorageError."""
    name = f"{format_id(IdKind.BATCH, batch.row.id)}_{line.number}"
    shown = {"id": name, "custom_id": line.custom_id, "response": None, "error": None}
    if line.state == LineState.SUCCEEDED:
        try:
            body, status = await pictures_of(gateway, caller, batch, line), 200
        except Problem as problem:  # such as a picture that has expired meanwhile
            described = describe_problem(as_openai(problem))
            body, status = {"error": described["error"]}, described["status_code"]
        return {**shown, "response": {"status_code": status, "request_id": name, "body": body}}
    if line.error is not None:
        body = {"error": line.error["error"]}
        return {
            **shown,
            "response": {"status_code": line.error["status_code"], "request_id": name, "body": body},
        }
    code, message = NOT_DONE[BatchState(batch.row.ending or BatchState.EXPIRED)]
    return {**shown, "error": {"code": code, "message": message}}


async def pictures_of(gateway: Gateway, caller: Caller, batch: TakenBatch, line: OpenAIBatchLine) -> Json:
    """The body of a successful answer. Raises Problem or StorageError."""
    row = batch.row

    def read(session: Session) -> tuple[OpenAIFile, JobRows]:
        if line.job_id is None:
            raise RuntimeError("a line that has succeeded has a job")
        return find_file(session, row.project_id, row.input_file_id), read_job(
            session, row.project_id, line.job_id
        )

    async with gateway.database.transaction() as session:
        file, rows = await session.run_sync(read)
    fields = fields_of(row.endpoint, await read_range(gateway, file, line.start, line.size))

    async def no_wait(_: UUID) -> JobRows:
        raise RuntimeError("requests of a batch need no segmentation maps")

    answer = await images_response(gateway, wanted_of(caller, row.endpoint, fields), succeeded(rows), no_wait)
    return answer.model_dump(mode="json")
