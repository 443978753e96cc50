"""The partial pictures of one job that a stream has still to send."""

from collections import defaultdict

from services.api.events.event_types import PARTIAL
from services.api.events.subject import Subject
from services.api.events.subscription import Subscription
from shared.partial_pictures import PartialPicture, Partials


class PictureWatch(Subscription):
    """Keeps the partial pictures themselves, as many of each candidate as are wanted."""

    def __init__(self, subject: Subject, wanted: int) -> None:
        """wanted: number of partial pictures of each candidate."""
        super().__init__(subject, frozenset({PARTIAL} if wanted else ()), Partials.FEW)
        self._wanted = wanted
        self._sent: defaultdict[int, int] = defaultdict(int)
        self._partials: dict[int, PartialPicture] = {}

    def offer_partial(self, partial: PartialPicture, text: bytes) -> None:
        """Keep the picture if it shows enough rows: of k pictures, the i-th shows i of k + 1 parts."""
        del text
        share = (self._sent[partial.index] + 1) / (self._wanted + 1)
        if self._sent[partial.index] < self._wanted and partial.rows_done >= share * partial.rows_total:
            self._partials[partial.index] = partial
            self._changed.set()

    def take_partials(self) -> list[tuple[int, PartialPicture]]:
        """Remove and return the waiting pictures, each with its number among those of its candidate."""
        self.take()
        taken: list[tuple[int, PartialPicture]] = []
        for index, picture in sorted(self._partials.items()):
            taken.append((self._sent[index], picture))
            self._sent[index] += 1
        self._partials.clear()
        return taken
