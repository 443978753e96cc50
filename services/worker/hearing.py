"""Whether a worker still hears its broker: what it knows from the doorbells that it sends to itself.

Values only; `own_doorbell` sends, listens and acts.
"""

from dataclasses import dataclass, replace

ROUNDS_UNTIL_DEAF = 3
"""Bells in a row that the broker took and that did not arrive before the next was due."""


@dataclass(frozen=True)
class Hearing:
    """What is known at one moment; each event gives the next."""

    listening: bool = False
    """Whether Celery believes that it has a connection to listen on; as long as not, it looks for one."""
    awaits_bell: bool = False
    """A bell is under way that was not heard yet."""
    missed: int = 0
    """Rounds in a row whose bell was sent and not heard."""

    @property
    def is_deaf(self) -> bool:
        """Whether the connection stands and brings nothing."""
        return self.missed >= ROUNDS_UNTIL_DEAF

    def connected(self) -> "Hearing":
        """Celery has begun to listen, on a new connection."""
        return Hearing(listening=True)

    def disconnected(self) -> "Hearing":
        """Celery has noticed the end of its connection."""
        return Hearing()

    def round_begun(self) -> "Hearing":
        """The next bell is due: one that is still awaited is missed."""
        return replace(self, awaits_bell=False, missed=self.missed + 1) if self.awaits_bell else self

    def sending(self) -> "Hearing":
        """A bell is about to be sent. It may be heard before the sender knows that it was taken."""
        return replace(self, awaits_bell=self.listening)

    def not_sent(self) -> "Hearing":
        """The broker did not take the bell: it may have been away for the earlier ones as well."""
        return Hearing(self.listening)

    def heard(self) -> "Hearing":
        """A bell has arrived, however late."""
        return Hearing(self.listening)
