"""Whether a failure at a dependency is charged to the message that failed there, as functions of values.

A message may be the cause (its object cannot be read, its row ends the connection), or the dependency may be
down for everybody.  A single failure does not show which; the results of others at the same place do.
"""

from dataclasses import dataclass, replace

from orca_daemon.engine.backoff import UNMET, Backoff
from orca_daemon.engine.events import Cause
from orca_daemon.engine.source import LONGEST_LEASE

KEPT = 128
"""Results at a place that are remembered; more of them would not change a decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """When a place is down, when a message is charged, how long a message waits; seconds."""

    failed_in_a_row: int = 3
    """Different messages that fail at a place in a row until it counts as down.  One may be the cause itself,
    and two may share it; a false alarm ends with the next success, and costs the others a second."""
    refused_in_a_row: int = 5
    """Likewise for messages that are refused, which is more often their own fault."""
    others: int = 3
    """Other messages that must have succeeded between two attempts of the one that is charged."""
    share: float = 0.9
    """Part of the others' attempts in between that must have succeeded."""
    spread: float = 900.0
    """At least so long from the first charge of a message to the charge that ends it."""
    patience: float = 14_400.0
    """How long a message waits that fails alone, if nothing proves that it is the cause."""
    longest_wait: float = 39_600.0
    """Age of a delivery at which its message is given back, unless it is at work."""
    longest_lease: float = LONGEST_LEASE
    """Age of a delivery at which the queue gives it to others, however long its lease."""
    retry: Backoff = UNMET
    """Between two attempts of one message, and between two at a place that is down."""
    probe_every: float = 10.0
    """Between two probes while a message is suspected of failing alone."""
    notification_tries: int = 5
    """Attempts at `gave_up` that may fail for its own reasons."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A place, from the view of a message that has just failed there."""

    moment: int
    """The place's own count of results."""
    opened: int = 0
    """The moment at which it last went down."""
    succeeded: int = 0
    """Other messages that succeeded since the message's last attempt."""
    failed: int = 0
    """Attempts of others that failed since then."""
    others_wait: bool = False
    """Whether another message in flight failed there, and has not succeeded since."""


@dataclass(frozen=True, slots=True)
class History:
    """The failures of one message at one place, in one delivery."""

    since: float
    """When it first failed there."""
    moment: int
    """The place's moment at its last failure."""
    failures: int = 1
    charges: int = 0
    first_charge: float = 0.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """What follows from a failure.  `cause` is set if the message is to be dead-lettered."""

    history: History
    cause: Cause | None = None


def proven(standing: Standing, rules: Rules) -> bool:
    """Whether the place works for others, so that a failure there is the message's own."""
    attempts = standing.succeeded + standing.failed
    return standing.succeeded >= rules.others and standing.succeeded >= rules.share * attempts


def judge(history: History | None, standing: Standing, *, now: float, rules: Rules, most: int) -> Judgement:
    """Judge a message that failed alone at a place; `most` is the number of charges that end it."""
    if history is None or history.moment < standing.opened:
        # The place was down in between, so earlier failures do not show that the message is at fault.
        return Judgement(History(now, standing.moment))
    charged = proven(standing, rules)
    first = history.first_charge if history.charges else now
    charges = history.charges + charged
    later = replace(
        history,
        moment=standing.moment,
        failures=history.failures + 1,
        charges=charges,
        first_charge=first if charges else 0.0,
    )
    if charged and charges >= most and now - first >= rules.spread:
        return Judgement(later, Cause.ATTEMPTS)
    if now - history.since >= rules.patience and not standing.others_wait:
        return Judgement(later, Cause.UNPROVEN)
    return Judgement(later)
