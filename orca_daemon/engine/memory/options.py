"""What can be set on a queue, in SQS's units and with SQS's defaults."""

from dataclasses import dataclass

from orca_daemon.engine.size import LARGEST
from orca_daemon.engine.source import LONGEST_LEASE

MOST_IN_FLIGHT = 120_000
"""For standard and FIFO queues alike (AWS: ChangeMessageVisibility, API reference)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueOptions:
    """Attributes of one queue; times in seconds, sizes in bytes (AWS: CreateQueue, API reference)."""

    fifo: bool = False
    visibility: float = 30
    delay: float = 0
    retention: float = 345_600
    wait: float = 0
    max_size: int = LARGEST
    content_deduplication: bool = False
    deduplication_per_group: bool = False
    max_in_flight: int = MOST_IN_FLIGHT
    longest_lease: float = LONGEST_LEASE
    """How long one delivery can stay hidden in all; another than SQS's twelve hours is for simulations."""
