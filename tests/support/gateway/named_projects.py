"""Check each SQL statement of a gateway: all rows that it takes part of are tied to the project it works for.

A table of projects is tied if the statement compares its `project_id` with the project, if it is joined with
a tied table, or if its rows are found by ids that the same request has read from tied tables. An id that a
client has sent ties nothing. A task without a request may go on with what it has taken for the platform.

The statements are SQLAlchemy's, so their form is regular, and expressions are enough to read them.
"""

import asyncio
import re
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, event

from services.api.auth.actor import current_actor
from shared.tables.walls import PLATFORM_TABLES, TENANT_TABLES
from shared.walls import PROJECT

SOURCES = re.compile(r"\b(?:FROM|JOIN|UPDATE|USING|INTO)\s+(\w+(?: AS \w+)?(?:, \w+(?: AS \w+)?)*)")
SOURCE = re.compile(r"(\w+)(?: AS (\w+))?")
JOINED = re.compile(r"(\w+)\.\w+ = (\w+)\.\w+|(\w+)\.\w+ (?:IN|=) \(SELECT (?:DISTINCT )?(\w+)\.\w+")
EQUAL = re.compile(r"(\w+)\.(\w+) = (?:ANY \()?%\((\w+)\)s")
LISTED = re.compile(r"(\w+)\.(\w+) IN \(((?:%\(\w+\)s(?:::\w+)?(?:, )?)+)\)")
PARAMETER = re.compile(r"%\((\w+)\)s")
INSERTED = re.compile(r"INSERT INTO (\w+)")
NOTHING = re.compile(r"(\w+)\.\w+ IN \(NULL\) AND \(1 != 1\)")
"""SQLAlchemy's form of an empty list."""
OWN_ID = re.compile(r"id(_m?\d+|__\d+)?")
"""Parameter with the id of a row that is inserted."""
KNOWN = "tests.known"


@dataclass(frozen=True)
class Shape:
    """What the text of a statement says. tables: the table of projects behind each name in it."""

    tables: Mapping[str, str]
    inserted: frozenset[str]
    empty: frozenset[str]
    """Names of which the statement takes no row."""
    joined: tuple[tuple[str, str], ...]
    compared: tuple[tuple[str, str, tuple[str, ...]], ...]
    """Name, column and the parameters that it is compared with."""


@lru_cache(maxsize=4096)
def shape_of(statement: str) -> Shape:
    """Read a statement."""
    sources = [source for listed in SOURCES.findall(statement) for source in SOURCE.findall(listed)]
    tables = {alias or table: table for table, alias in sources if table in TENANT_TABLES}
    pairs = [(one or first, other or second) for one, other, first, second in JOINED.findall(statement)]
    compared = [(name, column, (parameter,)) for name, column, parameter in EQUAL.findall(statement)]
    compared += [
        (name, column, tuple(PARAMETER.findall(values))) for name, column, values in LISTED.findall(statement)
    ]
    inserted, empty = frozenset(INSERTED.findall(statement)), frozenset(NOTHING.findall(statement))
    return Shape(tables, inserted, empty, tuple(pairs), tuple(compared))


def flat(values: Iterable[Any]) -> Generator[Any]:
    """The values, and those in lists of them."""
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from flat(value)
        else:
            yield value


def ids_in(values: Iterable[Any]) -> Generator[UUID]:
    """The ids among values, and in lists of them."""
    return (value for value in flat(values) if isinstance(value, UUID))


def untied(statement: str, parameters: Mapping[str, Any], project_id: UUID, known: set[UUID]) -> set[str]:
    """The tables of projects in a statement that nothing ties to the project."""
    shape = shape_of(statement)
    given = set(ids_in(parameters.values()))
    tied = set(shape.empty)
    if project_id in given or given & known:
        tied |= shape.inserted
    tied |= {
        name
        for name, column, names in shape.compared
        if is_tied(
            shape.tables.get(name, ""),
            column,
            list(flat(parameters[one] for one in names)),
            project_id,
            known,
        )
    }
    # the name of a subquery: the tables in it are checked as well
    tied |= {
        name for pair in shape.joined for name in pair if name not in shape.tables.keys() | PLATFORM_TABLES
    }
    while more := {name for pair in shape.joined if tied & set(pair) for name in pair} - tied:
        tied |= more
    return {table for name, table in shape.tables.items() if name not in tied}


def is_tied(table: str, column: str, values: list[Any], project_id: UUID, known: set[UUID]) -> bool:
    """Whether a comparison with these values ties a table. Nothing is equal to null."""
    if column == "project_id" or (table == "projects" and column == "id"):
        return values == [project_id]
    return all(value is None or (isinstance(value, UUID) and value in known) for value in values)


@dataclass
class Statements:
    """The statements that gateways have made for projects."""

    wrong: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """Those with tables that nothing ties to the project."""
    checked: int = 0
    _known: WeakKeyDictionary[asyncio.Task[Any], dict[UUID, set[UUID]]] = field(
        default_factory=WeakKeyDictionary
    )

    def check(self, connection: Connection, cursor: Any, statement: str, parameters: Any, *_: object) -> None:
        """Check a statement that was executed."""
        if PROJECT not in connection.info or not shape_of(statement).tables:
            return
        rows: Iterable[Any] = getattr(cursor, "_rows", ())
        project_id: UUID | None = connection.info[PROJECT]
        if project_id is None:
            self._note_taken(rows)
            return
        self.checked += 1
        known = self._known_ids(project_id)
        for given in parameters if isinstance(parameters, list) else [parameters]:
            if tables := untied(statement, given or {}, project_id, known):
                self.wrong[statement] = tables
                return
            if INSERTED.match(statement):
                known.update(ids_in(value for name, value in given.items() if OWN_ID.fullmatch(name)))
        known.update(ids_in(rows))

    def _note_taken(self, rows: Iterable[Any]) -> None:
        """Note what a task without a request reads for the platform: it goes on for the project in a row."""
        task = asyncio.current_task()
        if task is not None and current_actor() is None:
            for row in rows:
                ids = set(ids_in(row))
                for one in ids:
                    self._known.setdefault(task, {}).setdefault(one, set()).update(ids)

    def _known_ids(self, project_id: UUID) -> set[UUID]:
        """The ids that the current request, or a task without one, has read from rows of the project."""
        actor = current_actor()
        if actor is not None:
            return actor.scope.setdefault(KNOWN, set())
        task = asyncio.current_task()
        if task is None:
            return set()
        return self._known.setdefault(task, {}).setdefault(project_id, set())


@contextmanager
def checked_statements() -> Generator[Statements]:
    """Check all statements of gateways in this process while the block runs."""
    statements = Statements()
    event.listen(Engine, "after_cursor_execute", statements.check)
    try:
        yield statements
    finally:
        event.remove(Engine, "after_cursor_execute", statements.check)
