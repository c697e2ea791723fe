"""What all parts of one queue's consumer share: fixed when the engine is built."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orca_daemon.engine.dependencies import Dependencies
from orca_daemon.engine.events import Observer
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.route import Route
from orca_daemon.engine.source import QueueFacts, Source
from orca_daemon.engine.tasks import FirstFailure

HELD_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerOptions:
    """How one queue is consumed; seconds throughout."""

    lease: float = 120.0
    wait: float = 10.0
    held: int = 1000
    held_bytes: int = HELD_BYTES
    """Bytes of bodies in flight."""
    linger: float = 0.05
    pollers: int = 4
    concurrency: int = 4
    max_attempts: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueContext:
    """One queue: its route and source, and the services of the engine.

    Two of them change inside: `dependencies`, which the consumers of all queues share, and `failure`, to
    which every task of the engine reports.  All of that happens on the event loop's thread.
    """

    name: str
    route: Route[Any]
    source: Source
    """Its answers are checked: it raises nothing but `SourceError`."""
    facts: QueueFacts
    options: ConsumerOptions
    dependencies: Dependencies
    observe: Observer
    rng: random.Random
    about: Mapping[str, object] = field(default_factory=dict)
    """Facts of the process for the evidence of dead letters: its version."""
    failure: FirstFailure = field(default_factory=FirstFailure)

    def is_last_receive(self, envelope: Envelope) -> bool:
        """Whether this was the last delivery: SQS would move the message to the dead-letter queue."""
        most = self.facts.max_receives
        return most is not None and envelope.receive_count >= most

    def lane_of(self, envelope: Envelope) -> str:
        """The key of a message's lane: its group on a FIFO queue, the message itself on a standard queue."""
        return envelope.group or "" if self.facts.fifo else envelope.id
