"""A message in flight: its lease, its attempts, and what became known about it.

    received
       |
       v         started()
    WAITING  ----------------------->  RUNNING  ------------------+
      |  ^                                |                       |
      |  +------------ returned() --------+                       |
      |  |                                | settling()            |
      |  |                                v                       |
      |  +--- returned(), withheld() - SETTLING  --> deleted,     |
      |    its lease, or that of one      |          dead-lettered|
      |    before it, was lost, or its    |                       |
      |    dead letter was not sent       |                       |
      |                                   v                       |
      +--------- leaving() --------->  LEAVING  <---- leaving() --+
                                          |
                                          v
                                       released, hidden

A message whose lease is lost is removed from WAITING, as `lease_lost`.  Two things are independent of the
phase: the lease (`lease_extended`, `lease_lost`, `received_again`), and whether the message is given up
(`give_up`).

Every change is a method of this class.  All of them are called on the event loop's thread, between two
awaits: by the poller's task (`received_again`), by the task of a run, by that of the lease keeper, and by
done callbacks.
"""

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

from orca_daemon.engine.charges import History
from orca_daemon.engine.circuit import Key, Place
from orca_daemon.engine.events import Cause
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.route import Route
from orca_daemon.engine.size import size as bytes_of
from orca_daemon.engine.verdict import reason

END_MARGIN = 60.0
"""Seconds before the end of a delivery's twelve hours at which its lease ends: its work has to stop first."""
STOPPING = 30.0
"""Seconds before that at which its work is stopped, so that it can be given back in order."""


class Phase(StrEnum):
    """Where a message in flight stands."""

    WAITING = "waiting"
    """In its lane: not started, or between two attempts."""
    RUNNING = "running"
    SETTLING = "settling"
    """Its work is durable, and its delete is under way; or its dead letter is."""
    LEAVING = "leaving"
    """Being given back; a new delivery of it is a new message to us."""


# Read for every message: Python 3.11 looks up a member of an enum seven times slower than a global.
WAITING, RUNNING, SETTLING, LEAVING = Phase


class Isolation(IntEnum):
    """Which messages may share a run with a message; failures narrow it, until a culprit is alone."""

    NONE = 0
    GROUP = 1
    ALONE = 2


@dataclass(slots=True, eq=False)
class InFlightMessage:
    """One delivery, from its receive to its settlement.  Times are the loop's, in seconds."""

    envelope: Envelope
    received: float
    deadline: float
    """When the lease ends, on the safe side."""
    extend_at: float
    size: int = field(init=False)
    """Bytes of the body; kept, because another delivery of the message may replace the envelope."""
    decoded: Any = None
    """What the body decodes to; None if it cannot be decoded."""
    phase: Phase = WAITING
    isolation: Isolation = Isolation.NONE
    attempts: int = 0
    """Failed attempts that this message made alone."""
    needs: frozenset[Key] = frozenset()
    """Places that its work is known to need beforehand."""
    histories: dict[Key, History] | None = None
    """Its failures by place, for each place at which it has not succeeded since."""
    waits_for: Place | None = None
    """The place that is down and that it is held for."""
    outlasts: bool = False
    """Whether it was the first of a run whose attempt the engine stopped at the end of the delivery."""
    failed_alone: bool = False
    """Whether an attempt at it alone failed at a dependency, or came too early."""
    not_yet_count: int = 0
    """How often it was tried too early: what it needs had not come yet, or was down."""
    dead_letter_reason: str | None = None
    """Why it is given up; None if it is not."""
    error: str = ""
    """Class of the error for which it is given up."""
    cause: Cause | None = None
    notified: bool = False
    """Whether the route's `gave_up` need not be called any more: it succeeded, or was abandoned."""
    notification_failures: int = 0
    """Calls of `gave_up` that failed for reasons of their own."""
    notification_problem: str = ""
    """Why `gave_up` was abandoned, if it was."""
    dead_letter_failures: int = 0
    dead_letter_id: str = ""
    """The id of its dead letter, once that was sent."""
    lost: bool = False
    """Whether its lease is over: nothing may be settled by its receipt."""
    extended_delivery: Envelope | None = None
    """The delivery whose extension is under way; a newer delivery need not wait for its answer."""
    work_seconds: float = 0.0
    facts: dict[str, str] = field(default_factory=dict)
    """What handlers add to its log line: written during attempts, and read when it leaves."""

    def __post_init__(self) -> None:
        self.size = bytes_of(self.envelope.body, {})

    @property
    def stuck(self) -> bool:
        """Whether the message itself makes no progress, rather than one before it in its group."""
        declared = self.waits_for is not None and self.waits_for.key in self.needs
        return bool(self.attempts or self.failed_alone or self.outlasts or declared)

    # Its phases.

    def started(self) -> None:
        """A run took it out of its lane."""
        self.phase = RUNNING

    def returned(self) -> None:
        """It is back in its lane."""
        self.phase = WAITING

    def settling(self) -> None:
        """Its work is durable and its delete begins, or its dead letter is being sent."""
        self.phase = SETTLING

    def withheld(self) -> None:
        """Its delete is not sent, because a message before it in its group was lost and will come again."""
        self.phase = WAITING

    def leaving(self) -> None:
        """It is being given back to the queue."""
        self.phase = LEAVING

    # Its lease.

    def received_again(self, envelope: Envelope, now: float, lease: float) -> None:
        """A newer delivery of the same message arrived: from now on its receipt counts."""
        self.envelope = envelope
        self.lost = False
        self.lease_extended(now, lease)

    def lease_extended(self, since: float, seconds: float) -> None:
        """The lease runs for `seconds` from `since`; it is extended when a third of that is over."""
        self.deadline = since + seconds
        self.extend_at = since + seconds / 3

    def lease_lost(self) -> None:
        """Another consumer may have the message; what is known of it belongs to this delivery only."""
        self.lost = True

    @property
    def extending(self) -> bool:
        """Whether an extension of its lease is under way, by its newest receipt."""
        return self.extended_delivery is self.envelope

    def extension_sent(self) -> None:
        """An extension is under way; none is sent beside it."""
        self.extended_delivery = self.envelope

    def extension_returned(self, envelope: Envelope) -> None:
        """The extension of this delivery ended, well or not."""
        if self.extended_delivery is envelope:
            self.extended_delivery = None

    def extension_failed(self, again_at: float) -> None:
        """The lease was not extended; try again at this time."""
        self.extend_at = again_at

    def longest_extension(self, now: float, lease: float, longest: float) -> float:
        """Seconds that the lease may still be given: SQS ends a delivery after `longest`, twelve hours."""
        return min(lease, longest - END_MARGIN - (now - self.received))

    # Its work.

    def decode(self, route: Route[Any]) -> None:
        """Decode the body.  A message that cannot be decoded is given up: no retry can help."""
        try:
            self.decoded = route.decode(self.envelope)
            if route.places is not None:
                self.needs = route.places(self.decoded)
        except Exception as error:  # noqa: BLE001  whatever it is, no retry can decode it
            self.give_up(reason(error), type(error).__name__, Cause.REJECTED)

    def attempt_ended(self, seconds: float) -> None:
        """A handler worked on it for this long."""
        self.work_seconds += seconds

    def attempt_stopped(self, *, by_its_end: bool) -> None:
        """The engine cancelled an attempt of which it was the first message, at its end or earlier."""
        self.outlasts = by_its_end

    def attempts_failed(self, count: int) -> None:
        """Failed attempts are charged to the message."""
        self.attempts += count

    def isolate(self, isolation: Isolation) -> None:
        """Fewer messages may share a run with it from now on."""
        self.isolation = isolation

    # What it waits for.

    def came_too_early(self, *, alone: bool) -> None:
        """What it needs is still to come, or is away; `alone` if it was the only message of its run."""
        self.not_yet_count += 1
        self.failed_alone |= alone

    def hold_for(self, place: Place) -> None:
        """It waits until a place that is down is up again, or may be tried."""
        self.waits_for = place

    def admit(self) -> None:
        """It need not wait for a place any more."""
        self.waits_for = None

    def failed_at(self, key: Key, history: History, *, alone: bool) -> None:
        """It failed at a place, and now has this history there; `alone` as above."""
        self.histories = {**(self.histories or {}), key: history}
        self.failed_alone |= alone

    def forget(self, key: Key) -> bool:
        """Drop its history at a place; False if it has none."""
        return self.histories is not None and self.histories.pop(key, None) is not None

    # Its end, once it is given up.

    def give_up(self, why: str, error: str, cause: Cause) -> None:
        """It will not be worked again: it is to be notified and dead-lettered, alone."""
        self.isolation = Isolation.ALONE
        self.dead_letter_reason, self.error, self.cause = why, error, cause

    def notification_succeeded(self) -> None:
        """The route's `gave_up` succeeded: once is enough, however long the dead letter takes."""
        self.notified = True

    def notification_failed(self) -> None:
        """The route's `gave_up` failed for a reason of its own."""
        self.notification_failures += 1

    def notification_abandoned(self, problem: str) -> None:
        """The route's `gave_up` will not be called again."""
        self.notified, self.notification_problem = True, problem

    def dead_letter_sent(self, copy: str) -> None:
        """Its dead letter was sent, and has this id."""
        self.dead_letter_id = copy

    def dead_letter_failed(self) -> None:
        """Its dead letter could not be sent."""
        self.dead_letter_failures += 1
