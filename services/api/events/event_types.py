"""Types of events, and the filter `types`, in which `*` and `job.*` stand for several."""

from collections.abc import Iterable
from itertools import chain

from services.api.problems.codes import Problem, ProblemCode
from shared.event_types import patterns_of
from shared.jobs import JobEvent
from shared.spelling import no_such_name

PROGRESS = "job.progress"
PARTIAL = "job.partial"
EPHEMERAL = (PROGRESS, PARTIAL)
"""Types that have no id: they are not repeated after a reconnection."""
PARAM = "types"


def type_of(event: JobEvent) -> str:
    """The type of a job's event, as webhooks name it too."""
    return f"job.{event.value}"


TYPES = (*map(type_of, JobEvent), *EPHEMERAL)
PATTERNS = ("*", *sorted({name.partition(".")[0] + ".*" for name in TYPES}))
EVERY_TYPE = frozenset(TYPES)


def parse_types(texts: Iterable[str] | None) -> frozenset[str]:
    """The types that a filter asks for; without a filter, all. Raises Problem for a name that has no type.

    texts: names or patterns; one text may have several, separated by commas.
    """
    if texts is None:
        return EVERY_TYPE
    names = [name.strip() for text in texts for name in text.split(",")]
    return frozenset(chain.from_iterable(map(types_like, names)))


def types_like(name: str) -> list[str]:
    """The types that a name or a pattern stands for. Raises Problem if there is none."""
    found = [known for known in TYPES if name in patterns_of(known)]
    if not found:
        detail = no_such_name("event type", name, (*TYPES, *PATTERNS))
        raise Problem(ProblemCode.INVALID_REQUEST, detail, param=PARAM)
    return found
