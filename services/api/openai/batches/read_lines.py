"""Read the file of a new batch in pieces: each line becomes a row, or an error that ends the batch."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.api.openai.batches.schemas import endpoint_of
from services.api.openai.batches.steps import TakenBatch, write
from services.api.openai.files.parts import read_range
from services.api.openai.files.repository import find_file
from services.api.openai.wire.json_body import parse_object
from services.api.problems.codes import Problem
from services.api.process.gateway import Gateway
from shared.job_store.clock import database_time
from shared.tables import BatchState, OpenAIBatch, OpenAIBatchLine, OpenAIFile

PIECE_BYTES = 2 * 1024 * 1024
"""Bytes of the file that one step reads; no line may be longer."""
LINES_AT_ONCE = 1000
"""Lines that one step reads, in about 70 ms."""
MOST_LINES = 50_000
MOST_ERRORS = 20
LONGEST_CUSTOM_ID = 256
Json = dict[str, Any]


@dataclass
class Lines:
    """The lines of one piece. errors: what is wrong, in OpenAI's form."""

    rows: list[Json] = field(default_factory=list[Json])
    errors: list[Json] = field(default_factory=list[Json])
    bytes_read: int = 0


async def read_piece(gateway: Gateway, batch: TakenBatch) -> None:
    """One step: read the next piece of the file. Raises BatchLostError or StorageError."""
    row = batch.row
    try:
        async with gateway.database.transaction() as session:
            file = await session.run_sync(find_file, row.project_id, row.input_file_id)
    except Problem:
        lines, is_last = Lines(errors=[fault("file_missing", "The input file was deleted.", None)]), True
    else:
        lines, is_last = await lines_of(gateway, row, file)
    async with gateway.database.transaction() as session:
        await session.run_sync(note, batch, lines, is_last=is_last)


async def lines_of(gateway: Gateway, row: OpenAIBatch, file: OpenAIFile) -> tuple[Lines, bool]:
    """The lines of the next piece, and whether it is the last one. Raises StorageError."""
    piece = await read_range(gateway, file, row.read_bytes, PIECE_BYTES)
    reaches_end = row.read_bytes + len(piece) >= file.byte_size
    # in a thread, so that other requests are answered meanwhile
    lines = await asyncio.to_thread(
        parse_piece, piece, row.total + 1, row.read_bytes, row.endpoint, is_last=reaches_end
    )
    return lines, row.read_bytes + lines.bytes_read >= file.byte_size


def parse_piece(piece: bytes, first: int, start: int, endpoint: str, *, is_last: bool) -> Lines:
    """Up to LINES_AT_ONCE whole lines at the beginning of a piece; pure.

    first: number of the first line with a request. start: place of the piece in the file.
    """
    lines = Lines()
    end = len(piece) if is_last else piece.rfind(b"\n") + 1
    if not end and piece:
        lines.errors.append(fault("line_too_long", f"A line has more than {PIECE_BYTES} bytes.", first))
        return lines
    for text in piece[:end].splitlines(keepends=True):
        number, at = first + len(lines.rows), lines.bytes_read
        if text.strip():
            line = parse_line(text, number, endpoint)
            if "code" in line:
                lines.errors.append(line)
            else:
                lines.rows.append({**line, "number": number, "start": start + at, "size": len(text)})
        lines.bytes_read += len(text)
        if len(lines.errors) == MOST_ERRORS or len(lines.rows) == LINES_AT_ONCE:
            break
    return lines


def parse_line(text: bytes, number: int, endpoint: str) -> Json:
    """`custom_id` of one line, or its error; pure."""
    try:
        line = parse_object(bytearray(text))
    except Problem as problem:
        return fault("invalid_json_line", problem.detail, number)
    custom_id, url = line.get("custom_id"), line.get("url")
    if not isinstance(custom_id, str) or not 0 < len(custom_id) <= LONGEST_CUSTOM_ID or "\0" in custom_id:
        words = f"A line needs a custom_id, a text of up to {LONGEST_CUSTOM_ID} characters."
        return fault("missing_required_parameter", words, number, "custom_id")
    if line.get("method") != "POST":
        return fault("invalid_method", "The method of a line must be POST.", number, "method")
    if not isinstance(url, str) or endpoint_of(url) != endpoint:
        return fault("mismatched_endpoint", f"The url must be {endpoint}.", number, "url")
    if not isinstance(line.get("body"), dict):
        return fault("missing_required_parameter", "A line needs a body, an object.", number, "body")
    return {"custom_id": custom_id}


def fault(code: str, message: str, line: int | None, param: str | None = None) -> Json:
    """One entry of a batch's `errors`."""
    return {"code": code, "message": message, "line": line, "param": param}


def note(session: Session, batch: TakenBatch, lines: Lines, *, is_last: bool) -> None:
    """Insert the rows, and go on with the batch or end it. Raises BatchLostError."""
    errors = lines.errors or insert_lines(session, batch, lines.rows)
    total = batch.row.total + len(lines.rows)
    if not errors and total > MOST_LINES:
        errors = [fault("too_many_requests", f"A batch has at most {MOST_LINES} requests.", None)]
    if not errors and is_last and not total:
        errors = [fault("empty_file", "The input file has no requests.", None)]
    if errors:
        ended = {"state": BatchState.FAILED.value, "ended_at": database_time()}
        write(session, batch, errors=errors, **ended)
        return
    begun = {"state": BatchState.IN_PROGRESS.value, "in_progress_at": database_time()} if is_last else {}
    row = write(session, batch, total=total, read_bytes=batch.row.read_bytes + lines.bytes_read)
    if row.state == BatchState.VALIDATING:  # it may have been cancelled meanwhile
        write(session, batch, **begun)


def insert_lines(session: Session, batch: TakenBatch, rows: list[Json]) -> list[Json]:
    """Insert the rows. Returns the errors of those whose custom_id an earlier line has."""
    seen: set[str] = set()
    twice = [row for row in rows if row["custom_id"] in seen or seen.add(row["custom_id"])]
    known = select(OpenAIBatchLine.custom_id).where(
        OpenAIBatchLine.batch_id == batch.row.id,
        OpenAIBatchLine.custom_id == func.any(list(seen)),
    )
    earlier = set(session.scalars(known)) if rows else set[str]()
    twice += [row for row in rows if row["custom_id"] in earlier]
    if twice:
        words = "The custom_id of an earlier line is used again."
        return [
            fault("duplicate_custom_id", words, row["number"], "custom_id") for row in twice[:MOST_ERRORS]
        ]
    if rows:
        session.execute(insert(OpenAIBatchLine), [{**row, "batch_id": batch.row.id} for row in rows])
    return []
