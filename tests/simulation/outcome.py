"""What a played history came to: all that the promises are checked against."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from orca_daemon.engine.events import Event
from tests.simulation.history import History, Sending
from tests.simulation.queues import Queues
from tests.simulation.record import Entry, Record
from tests.simulation.truth import FOREVER, Delivery, Truth


@dataclass(slots=True)
class Holding:
    """A delivery in the hands of one life of the daemon, by what that said."""

    life: int
    delivery: Delivery
    since: float
    until: float = FOREVER
    how: str = ""
    """The outcome that it left with; `renewed` by a newer delivery, or empty where the life ended first."""


@dataclass
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

    @cached_property
    def truth(self) -> Truth:
        """What the queue itself knows."""
        return self.queues.truth()

    @cached_property
    def holdings(self) -> list[Holding]:
        """Every delivery that a life had in flight."""
        return list(_holdings(self.record, self.truth))

    @cached_property
    def _sendings(self) -> dict[str, Sending]:
        return {sending.id: sending for sending in self.history.sendings}

    def sending(self, name: str) -> Sending:
        """How the message was sent."""
        return self._sendings[name]

    @property
    def clock_is_off(self) -> bool:
        """Whether the daemon's clock stood still while the queue's went on: leases are lost, then."""
        return bool(self.history.sleeps) or any("stall" in one.script for one in self.history.sendings)

    @cached_property
    def _last_releases(self) -> set[str]:
        """Receipts of messages that were given up and left to SQS's redrive policy."""
        last = {
            one.delivery.receipt for one in self.holdings if one.delivery.number >= self.history.max_receives
        }
        given_up = (
            entry.facts["receipts"][0]
            for entry in self.record.of("left")
            if entry.facts["outcome"] == "released" and entry.facts["cause"] and self.history.dead_letter
        )
        return last.intersection(given_up)

    def set_aside(self, entry: Entry) -> list[str]:
        """The messages that leave the order of their group with this: dead-lettered, or left to SQS."""
        if entry.what == "release":
            pairs = zip(entry.ids, entry.facts["receipts"], strict=True)
            return [name for name, receipt in pairs if receipt in self._last_releases]
        return list(entry.ids) if entry.what in {"dead_letter_sent", "too_large"} else []

    @property
    def drains_in_time(self) -> set[int]:
        """The lives whose drain was over before its time was."""
        return {
            entry.life
            for entry in self.record.of("drained")
            if entry.facts["seconds"] < self.history.drain_seconds
        }

    @property
    def downs(self) -> Iterator[tuple[int, str, float, float]]:
        """When a life took which place for down, from and to."""
        since: dict[tuple[int, str], float] = {}
        for entry in self.record.of("place_down", "place_up", "killed", "drained"):
            if entry.what == "place_down":
                since[entry.life, entry.ids[0]] = entry.at
                continue
            for life, place in list(since):
                if life == entry.life and place in (entry.ids or (place,)):
                    yield life, place, since.pop((life, place)), entry.at


def _holdings(record: Record, truth: Truth) -> Iterator[Holding]:
    held: dict[tuple[int, str], Holding] = {}
    for entry in record.of("polled", "left", "killed", "drained"):
        if entry.what == "polled":
            for receipt in entry.facts["receipts"]:
                if (entry.life, receipt) not in held:
                    one = Holding(entry.life, truth.by_receipt[receipt], entry.at)
                    held[entry.life, receipt] = one
                    yield one
            continue
        if entry.what != "left":
            for key in [key for key in held if key[0] == entry.life]:
                held.pop(key).until = entry.at
            continue
        [receipt] = entry.facts["receipts"]
        if entry.facts["outcome"] == "duplicate":
            _renew(held, entry.life, receipt, entry.at)
        elif (entry.life, receipt) in held:
            one = held.pop((entry.life, receipt))
            one.until, one.how = entry.at, entry.facts["outcome"]


def _renew(held: dict[tuple[int, str], Holding], life: int, receipt: str, at: float) -> None:
    """A message came again while it was in flight: of its deliveries the newest counts."""
    if (newer := held.get((life, receipt))) is None:
        return
    same = [one for (of, _), one in held.items() if of == life and one.delivery.name == newer.delivery.name]
    newest = max(same, key=lambda one: one.delivery.number)
    for one in same:
        if one is not newest:
            del held[life, one.delivery.receipt]
            one.until, one.how = at, "renewed"
