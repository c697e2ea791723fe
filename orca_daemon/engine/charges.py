"""Whether a failure at a dependency is charged to the message that met it: decisions, as functions of values.

A message may be the cause (its object cannot be read, its row ends the connection), or the dependency may be
down for everybody.  One failure looks like the other; what others met at the same place meanwhile does not.
"""

from dataclasses import dataclass, replace

from orca_daemon.engine.backoff import UNMET, Backoff
from orca_daemon.engine.source import LONGEST_LEASE

KEPT = 128
"""How much of what happened at a place is remembered; more would not change a decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """When a place is down, when a message is charged, how long one waits; seconds."""

    failed_in_a_row: int = 3
    """Different messages that fail at a place in a row until it counts as down: as many as clear it.  One may
    be the cause, two may share it; a false alarm is over with the next success, and costs others a second."""
    refused_in_a_row: int = 5
    """The same for messages that are refused, which is more often their own fault."""
    others: int = 3
    """Other messages that must have succeeded between two attempts of the one that is charged."""
    share: float = 0.9
    """Part of the others' attempts between them that must have succeeded."""
    spread: float = 900.0
    """From the first charge of a message to the one that ends it, at least."""
    patience: float = 14_400.0
    """How long a message waits that fails alone, and nothing proves that it is the cause."""
    longest_wait: float = 39_600.0
    """Age of a delivery at which its message is given back, unless it is at work."""
    longest_lease: float = LONGEST_LEASE
    """Age of a delivery at which the queue gives it to others, whatever was asked for."""
    retry: Backoff = UNMET
    """Between two attempts of one message, and between two at a place that is down."""
    probe_every: float = 10.0
    """Between two probes while a message is suspected of failing alone."""
    notification_tries: int = 5
    """Attempts at `gave_up` that may fail for its own reasons."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A place, as one message sees it that has just failed there."""

    moment: int
    """The place's own count of what happened."""
    opened: int = 0
    """The moment at which it last went down."""
    succeeded: int = 0
    """Other messages that succeeded since the message's last attempt."""
    failed: int = 0
    """Attempts of others that failed since then."""
    others_wait: bool = False
    """Whether another message that is in hand failed there, and has not succeeded since."""


@dataclass(frozen=True, slots=True)
class History:
    """What one message has met at one place, in one delivery."""

    since: float
    """When it first failed there."""
    moment: int
    """The place's moment at its last failure."""
    failures: int = 1
    charges: int = 0
    first_charge: float = 0.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a failure comes to.  `cause` is `attempts` or `unproven` if the message is to be dead-lettered."""

    history: History
    cause: str = ""


def proven(standing: Standing, rules: Rules) -> bool:
    """Whether the place works for others, so that a failure there is the message's own."""
    attempts = standing.succeeded + standing.failed
    return standing.succeeded >= rules.others and standing.succeeded >= rules.share * attempts


def judge(history: History | None, standing: Standing, *, now: float, rules: Rules, most: int) -> Judgement:
    """Judge a message that failed alone at a place; `most` is the number of charges that end it."""
    if history is None or history.moment < standing.opened:
        # The place was down in between: what the message met before says nothing of it.
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
        return Judgement(later, "attempts")
    if now - history.since >= rules.patience and not standing.others_wait:
        return Judgement(later, "unproven")
    return Judgement(later)
