"""How many requests of a project wait for the end of a job at the same time."""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from uuid import UUID


class Waits:
    """The waiting requests of this process, by project."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: Counter[UUID] = Counter()

    @contextmanager
    def entered(self, project_id: UUID) -> Generator[bool]:
        """Count a waiting request during the block; false if the project has too many and it must not."""
        if self._waiting[project_id] >= self._most:
            yield False
            return
        self._waiting[project_id] += 1
        try:
            yield True
        finally:
            self._waiting[project_id] -= 1
            if not self._waiting[project_id]:
                del self._waiting[project_id]
