"""All tables of the database as COPY text, which each later version of PostgreSQL reads.

The tables and their columns are read from the database, so that a backup fits the schema that it was made of.
"""

import gzip
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from graphlib import TopologicalSorter
from typing import Any

from psycopg import Connection, sql

from infra.backup.archive import TABLES, ArchiveWriter, Entry

PIECE_BYTES = 8 * 1024 * 1024
VERSION_TABLE = "alembic_version"
COLUMNS = """
SELECT pg_class.relname, array_agg(attname::text ORDER BY attnum)
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
  AND relname <> %s AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
GROUP BY pg_class.relname
"""
REFERENCES = """
SELECT child.relname, parent.relname
FROM pg_constraint JOIN pg_class child ON child.oid = conrelid JOIN pg_class parent ON parent.oid = confrelid
WHERE contype = 'f' AND conrelid <> confrelid AND connamespace = current_schema()::regnamespace
"""

Tables = dict[str, list[str]]
"""Columns of each table; a table stands after those that its foreign keys refer to."""


def read_tables(connection: Connection[Any]) -> Tables:
    """The tables of the database, in an order in which they can be filled."""
    columns: Tables = dict(connection.execute(COLUMNS, [VERSION_TABLE]).fetchall())
    order: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(sorted(columns), ()))
    for child, parent in connection.execute(REFERENCES).fetchall():
        if child in columns:  # a partition's keys are those of its table
            order.add(child, parent)
    return {table: columns[table] for table in order.static_order()}


def copy_statement(table: str, columns: list[str], *, reading: bool) -> sql.Composed:
    """COPY of one table, from the database (`reading`) or into it."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    if reading:  # a query, because COPY of a partitioned table reads nothing
        return sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(names, sql.Identifier(table))
    return sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)


def write_tables(connection: Connection[Any], tables: Tables, archive: ArchiveWriter) -> int:
    """Add all rows to the archive; returns their number."""
    rows = 0
    for table, columns in tables.items():
        with connection.cursor() as cursor:
            with cursor.copy(copy_statement(table, columns, reading=True)) as copy:
                for number, piece in enumerate(pieces(bytes(block) for block in copy)):
                    name = f"{TABLES}{table}/{number:06}.gz"
                    archive.add(name, gzip.compress(piece, compresslevel=3, mtime=0))
            rows += max(cursor.rowcount, 0)
    return rows


def pieces(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of about PIECE_BYTES."""
    waiting: list[bytes] = []
    size = 0
    for block in blocks:
        waiting.append(block)
        size += len(block)
        if size >= PIECE_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def table_of(entry: Entry) -> str:
    """The table whose rows the entry has."""
    return entry.name.removeprefix(TABLES).partition("/")[0]


def load_rows(connection: Connection[Any], table: str, columns: list[str], entries: Iterable[Entry]) -> int:
    """Insert the rows of one table; returns their number."""
    with connection.cursor() as cursor:
        with cursor.copy(copy_statement(table, columns, reading=False)) as copy:
            for entry in entries:
                copy.write(gzip.decompress(entry.data))
        return cursor.rowcount


@contextmanager
def triggers_off(connection: Connection[Any], tables: Iterable[str]) -> Generator[None]:
    """Run the block without the triggers of these tables; those of foreign keys stay on."""
    for table in tables:
        connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(sql.Identifier(table)))
    yield
    for table in tables:
        connection.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(sql.Identifier(table)))


def filled_tables(connection: Connection[Any], tables: Iterable[str]) -> list[str]:
    """The tables that have a row."""
    question = sql.SQL("SELECT EXISTS (SELECT FROM {})")
    return [
        table
        for table in tables
        if connection.execute(question.format(sql.Identifier(table))).fetchone() == (True,)
    ]


def empty_tables(connection: Connection[Any], tables: Iterable[str]) -> None:
    """Delete all rows, also of tables whose triggers refuse that."""
    found = list(tables)
    names = sql.SQL(", ").join(map(sql.Identifier, found))
    with triggers_off(connection, found):
        connection.execute(sql.SQL("TRUNCATE {}").format(names))
