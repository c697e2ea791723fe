"""The queue of a history and its dead-letter queue, and what became of each message."""

import random
from collections import Counter
from collections.abc import Callable

from orca_daemon.engine.memory import Happened, MemoryQueue, MemorySource, QueueOptions, Redrive
from tests.simulation.truth import Truth

RETENTION = 1_209_600.0


class Queues:
    """Messages are known here by their bodies, which are their names."""

    def __init__(
        self,
        *,
        fifo: bool,
        max_receives: int | None,
        visibility: float,
        clock: Callable[[], float],
        now: Callable[[], float],
        seed: int,
        longest_lease: float,
    ) -> None:
        """`clock` is the queues' own, `now` that of whoever looks on: by it everything is written down."""
        self.happened: list[Happened] = []

        def note(one: Happened) -> None:
            self.happened.append(one._replace(at=now()))

        rng = random.Random(seed)
        options = QueueOptions(
            fifo=fifo, visibility=visibility, retention=RETENTION, longest_lease=longest_lease
        )
        self.dead = MemoryQueue("dead", options, clock=clock, rng=rng, record=note)
        self.queue = MemoryQueue("queue", options, clock=clock, rng=rng, record=note)
        if max_receives is not None:
            self.queue.redrive = Redrive(self.dead, max_receives)
        self.source = MemorySource(self.queue, None if max_receives is None else self.dead)
        self._fifo = fifo
        self._names: dict[str, str] = {}

    def send(self, name: str, group: str) -> None:
        """Send a message that is called `name`."""
        if self._fifo:
            sent = self.queue.send(name, group=group, deduplication_id=name)
        else:
            sent = self.queue.send(name)
        self._names[sent.id] = name

    def left(self) -> set[str]:
        """The messages that are still on the queue."""
        return {message.body for message in self.queue.messages()}

    def states(self) -> dict[str, str]:
        """What each message is: `deleted`, `dead`, or in what state it still is on the queue."""
        dead = {message.body for message in self.dead.messages()}
        left = {message.body: message.state.value for message in self.queue.messages()}
        return {name: left.get(name, "dead" if name in dead else "deleted") for name in self._names.values()}

    def receives(self) -> Counter[str]:
        """How often each message was received."""
        got = (one for one in self.happened if one.queue == "queue" and one.what == "received")
        return Counter(self._names[one.message] for one in got)

    def truth(self) -> Truth:
        """All that the queue knows of its deliveries."""
        return Truth(self.happened, self._names)

    def moved_at(self, name: str) -> float | None:
        """When SQS itself moved a message to the dead-letter queue."""
        for one in self.happened:
            if one.what == "moved" and self._names[one.message] == name:
                return one.at
        return None

    def gone(self, name: str, by: float) -> bool:
        """Whether the queue had let go of a message by then: deleted, moved, or told so for an old handle."""
        return any(
            one.what in {"deleted", "moved", "ignored"} and self._names[one.message] == name and one.at <= by
            for one in self.happened
            if one.queue == "queue"
        )

    def double(self, rng: random.Random) -> None:
        """Make the queue deliver one message that is in flight once more."""
        if messages := self.queue.messages():
            self.queue.double(rng.choice(messages).id)
