"""What a played history came to: all that the promises are checked against."""

from dataclasses import dataclass, field

from orca_daemon.engine.events import Event
from tests.simulation.history import History
from tests.simulation.queues import Queues
from tests.simulation.record import Record


@dataclass(slots=True)
class Outcome:
    """What a history came to."""

    history: History
    record: Record
    queues: Queues
    complaints: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """Errors that ended an engine."""
    leaks: list[str] = field(default_factory=list)
    """Moments at which messages or permits were unaccounted for."""
    lies: list[str] = field(default_factory=list)
    """Moments at which the engine's state said what was not so."""
    events: list[Event] = field(default_factory=list)
    """All that the engines told."""
