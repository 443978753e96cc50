"""The open event streams of this process, by project, and how many there may be."""

from collections import defaultdict
from collections.abc import Callable, Collection, Generator, Iterable
from contextlib import contextmanager
from uuid import UUID

from services.api.events.subscription import Subscription
from services.api.http.metrics import Metrics
from services.api.problems.codes import Problem, ProblemCode
from services.api.settings import GatewaySettings

RETRY_AFTER_SECONDS = "10"


class OpenStreams:
    """Their subscriptions."""

    def __init__(
        self,
        settings: GatewaySettings,
        metrics: Metrics,
        on_entered: Callable[[], object],
        on_empty: Callable[[], object],
    ) -> None:
        """on_entered: called after a stream was opened. on_empty: called after the last one has ended."""
        self._settings = settings
        self._metrics = metrics
        self._on_entered = on_entered
        self._on_empty = on_empty
        self._by_project: defaultdict[UUID, set[Subscription]] = defaultdict(set)
        self._is_leaving = False

    def __len__(self) -> int:
        return sum(map(len, self._by_project.values()))

    def __contains__(self, project_id: UUID) -> bool:
        return project_id in self._by_project

    @property
    def projects(self) -> list[UUID]:
        """The projects that have open streams."""
        return list(self._by_project)

    def of(self, project_id: UUID) -> Collection[Subscription]:
        """The subscriptions of a project."""
        return self._by_project.get(project_id, ())

    def all(self) -> list[Subscription]:
        """The subscriptions of all projects."""
        return [subscription for group in self._by_project.values() for subscription in group]

    def projects_where(self, wanted: Callable[[Subscription], object]) -> list[UUID]:
        """The projects of which a subscription meets the condition."""

        def has_one(group: Iterable[Subscription]) -> bool:
            return any(wanted(subscription) for subscription in group)

        return [project_id for project_id, group in self._by_project.items() if has_one(group)]

    @contextmanager
    def entered(self, subscription: Subscription) -> Generator[None]:
        """Count the stream during the block. Raises Problem if too many streams are open."""
        project_id = subscription.subject.project_id
        self._check_room(project_id)
        self._by_project[project_id].add(subscription)
        self._metrics.streams.set(len(self))
        self._on_entered()
        try:
            yield
        finally:
            self._by_project[project_id].discard(subscription)
            if not self._by_project[project_id]:
                del self._by_project[project_id]
            self._metrics.streams.set(len(self))
            if not self._by_project:
                self._on_empty()

    def end_all(self, reason: str) -> None:
        """End every stream, so that its client opens it again."""
        for subscription in self.all():
            subscription.end(reason)

    def leave(self, reason: str) -> None:
        """End every stream and accept no further one, because the process stops."""
        self._is_leaving = True
        self.end_all(reason)

    def _check_room(self, project_id: UUID) -> None:
        retry = {"Retry-After": RETRY_AFTER_SECONDS}
        if self._is_leaving:
            raise Problem(ProblemCode.GATEWAY_BUSY, "The gateway is about to stop.", headers=retry)
        most = self._settings.max_streams_per_project
        if len(self.of(project_id)) >= most:
            detail = f"The project has {most} open event streams, which is its limit."
            raise Problem(ProblemCode.TOO_MANY_STREAMS, detail, headers=retry)
        most = self._settings.max_streams
        if len(self) >= most:
            detail = f"The gateway has {most} open event streams, which is its limit."
            raise Problem(ProblemCode.GATEWAY_BUSY, detail, headers=retry)
