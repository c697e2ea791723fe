"""What the queue itself knows of each delivery: the daemon's own events are compared with this."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from orca_daemon.engine.memory import Happened

FOREVER = float("inf")


@dataclass(slots=True)
class Delivery:
    """One delivery of one message.  Times are those of the history."""

    name: str
    receipt: str
    number: int
    """The how-manieth delivery of its message it is, from 1."""
    sequence: int
    received: float
    grants: list[tuple[float, float]] = field(default_factory=list)
    """When its lease was set, and to how many seconds."""
    given_back: bool = False
    """Whether its receiver made it visible."""
    over: float = FOREVER
    """When it ended for the queue: lapsed, deleted, given back, moved, delivered again."""
    how: str = ""

    @property
    def granted_until(self) -> float:
        """Until when it was its receiver's, but for a second delivery that nobody could know of."""
        return sum(self.grants[-1])

    @property
    def lease_ends(self) -> float:
        """When its lease ended, or would have."""
        return min(self.granted_until, self.over)


class Truth:
    """All deliveries, in order, from what the queue wrote down."""

    def __init__(self, happened: Sequence[Happened], names: dict[str, str]) -> None:
        self.by_receipt: dict[str, Delivery] = {}
        self.of: dict[str, list[Delivery]] = defaultdict(list)
        self.given_back: list[Delivery] = []
        """Deliveries that were shown again, in that order."""
        self.gone: dict[str, tuple[float, str]] = {}
        """When a message left the queue for good, and how: deleted, moved, retired."""
        for one in happened:
            if one.queue == "queue" and one.message in names:
                self._add(one, names[one.message])

    def __iter__(self) -> Iterator[Delivery]:
        return iter(self.by_receipt.values())

    def _add(self, one: Happened, name: str) -> None:
        if one.what == "received":
            for earlier in self.of[name][-1:]:
                self._end(earlier, one.at, "delivered again")
            made = Delivery(name, one.receipt, one.receive_count, one.sequence, one.at)
            made.grants.append((one.at, one.seconds))
            self.by_receipt[one.receipt] = made
            self.of[name].append(made)
            return
        if one.what in {"deleted", "moved", "retired"}:
            self.gone[name] = (one.at, one.what)
        delivery = self.by_receipt.get(one.receipt)
        if delivery is None:
            return
        if one.what == "replayed" or (one.what == "hidden" and one.seconds):
            delivery.grants.append((one.at, one.seconds))
        elif one.what == "hidden":
            delivery.given_back = True
            self.given_back.append(delivery)
            self._end(delivery, one.at, "given back")
        elif one.what in {"lapsed", "deleted", "moved", "retired", "doubled"}:
            # The queue notices a lapse when it is looked at next.
            at = min(one.at, sum(delivery.grants[-1])) if one.what == "lapsed" else one.at
            self._end(delivery, at, one.what)

    @staticmethod
    def _end(delivery: Delivery, at: float, how: str) -> None:
        if delivery.over == FOREVER:
            delivery.over, delivery.how = at, how

    def there(self, name: str, at: float) -> bool:
        """Whether the message was still on the queue then."""
        return name not in self.gone or self.gone[name][0] > at
