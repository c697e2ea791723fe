"""Messages in flight, in lanes: a lane is a group on a FIFO queue, and one message on a standard queue.

A lane gives one run at a time, from its head.  Messages of a run that failed return to the head, so a lane is
always in order.  Pure bookkeeping: no clock, no effects.

Written by the poller's task (`add`), by the dispatcher and done callbacks of its runs (the rest): always on
the event loop's thread, and never across an await.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from orca_daemon.engine.in_flight_message import InFlightMessage, Isolation


@dataclass(slots=True, eq=False)
class Lane:
    """The messages of one group, in order.  Only `Lanes` writes to it."""

    key: str
    waiting: deque[InFlightMessage] = field(default_factory=deque)
    busy: bool = False
    """Whether a run has its head."""
    parked: bool = False
    """Whether it waits for its next attempt."""
    queued: bool = False
    """Whether it waits for its turn."""


class StopReason(StrEnum):
    """Why the engine cancelled a run."""

    LOST = "lost"
    """A lease was lost."""
    EXPIRED = "expired"
    """The time limit of the route is over."""
    ENDED = "ended"
    """The delivery of its oldest message is nearly over."""
    DRAINED = "drained"
    """The time of the drain is over."""


@dataclass(slots=True, eq=False)
class Run:
    """Messages that are worked together: of one lane, or from the heads of several.

    The dispatcher begins and cancels it; the rest is written by the run's own task.
    """

    parts: list[tuple[Lane, list[InFlightMessage]]]
    messages: list[InFlightMessage]
    """All of them, lane by lane, each lane in order."""
    started: float = 0.0
    expires: float = 0.0
    """When its time limit is over."""
    ends: float = float("inf")
    """When the delivery of its oldest message has to end."""
    turn: InFlightMessage | None = None
    """The message that is handled now, if they are handled one after another."""
    stop: StopReason | None = None
    """Why it was cancelled, if it was."""
    stopped_at: float = 0.0
    last: bool = False
    """Whether its limit is that of the delivery, which is too old for another attempt."""
    settling: int = 0
    """How many deletes its lanes wait for; none on a standard queue."""
    overtaken: bool = False
    """Whether a message before it comes back, so that this one has to, too."""
    succeeded: set[tuple[str, str]] | None = None
    """Dependencies and places at which an operation of the attempt succeeded."""

    @property
    def oldest(self) -> float:
        """When the first of its messages was received."""
        if len(self.parts) == 1:
            return self.messages[0].received
        return min(part[0].received for _, part in self.parts)

    def begin(self, now: float, limit: float, end: float) -> None:
        """Start the clock: the run may take `limit` seconds, but not past `end`, the end of its delivery."""
        self.started, self.ends = now, end
        self.expires = now + limit
        if end < self.expires:
            self.expires, self.last = end, True

    @property
    def current(self) -> list[InFlightMessage]:
        """The messages of the attempt."""
        return self.messages if self.turn is None else [self.turn]

    def has_behind(self, message: InFlightMessage) -> bool:
        """Whether a message has its turn later."""
        return self.turn is not None and message in self.messages[self.messages.index(self.turn) + 1 :]

    def turn_to(self, message: InFlightMessage, now: float, limit: float) -> None:
        """The next message has its turn, with a time limit of its own."""
        self.turn, self.succeeded = message, None
        self.begin(now, limit, self.ends)

    def shorten(self, count: int) -> None:
        """Only the first messages are left; lanes without one stay busy with the others."""
        self.messages = self.messages[:count]
        self.parts = [(lane, [one for one in part if one in self.messages]) for lane, part in self.parts]

    def narrow(self, lane: Lane, message: InFlightMessage) -> None:
        """Only this message is left."""
        self.parts, self.messages, self.turn = [(lane, [message])], [message], None

    def cancelled(self, why: StopReason, now: float) -> None:
        """The engine asked its task to stop."""
        self.stop, self.stopped_at = why, now

    def attempted(self, now: float, limit: float) -> None:
        """The attempt is over: settling has a time limit and a stop reason of its own."""
        self.stop, self.started, self.expires = None, now, now + limit


class Lanes:
    """All lanes of one queue, and the order in which they get their turn."""

    def __init__(self, *, batch: int, merge: bool) -> None:
        self._batch = batch
        self._merge = merge
        self._lanes: dict[str, Lane] = {}
        self._ready: deque[Lane] = deque()
        self.parked = 0
        """Messages in lanes that wait for their next attempt."""

    def __len__(self) -> int:
        return len(self._lanes)

    def __iter__(self) -> Iterator[Lane]:
        return iter(tuple(self._lanes.values()))

    def add(self, key: str, message: InFlightMessage) -> None:
        """Append a message to its lane."""
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(key)
        lane.waiting.append(message)
        self.parked += lane.parked
        self._offer(lane)

    def next_run(self) -> Run | None:
        """Return the next run, if a lane is ready; its lanes are busy until `done`."""
        while self._ready:
            lane = self._ready.popleft()
            lane.queued = False
            if self._is_ready(lane):
                part = self._take(lane, self._batch)
                run = Run([(lane, part)], list(part))
                if self._merge and part[0].isolation is Isolation.NONE:
                    self._fill(run)
                return run
        return None

    def _fill(self, run: Run) -> None:
        limit = self._batch - len(run.messages)
        others: list[Lane] = []
        while limit and self._ready:
            lane = self._ready.popleft()
            lane.queued = False
            if not self._is_ready(lane):
                continue
            if lane.waiting[0].isolation is not Isolation.NONE:
                others.append(lane)
                continue
            part = self._take(lane, limit)
            limit -= len(part)
            run.parts.append((lane, part))
            run.messages += part
        for lane in reversed(others):
            lane.queued = True
            self._ready.appendleft(lane)

    def _take(self, lane: Lane, limit: int) -> list[InFlightMessage]:
        """The head of a lane: as many messages as may share a run."""
        lane.busy = True
        isolation = lane.waiting[0].isolation
        most = 1 if isolation is Isolation.ALONE else limit
        part: list[InFlightMessage] = []
        while lane.waiting and len(part) < most and lane.waiting[0].isolation is isolation:
            message = lane.waiting.popleft()
            message.started()
            part.append(message)
        return part

    def put_back(self, lane: Lane, messages: Iterable[InFlightMessage], *, park: bool = False) -> None:
        """Return messages of a run to the head of their lane; `park` it until `unpark`."""
        back = list(messages)
        for message in back:
            message.returned()
        lane.waiting.extendleft(reversed(back))
        if lane.parked:
            self.parked += len(back)
        elif park and lane.waiting:
            lane.parked = True
            self.parked += len(lane.waiting)

    def done(self, lane: Lane) -> None:
        """The run that had this lane has ended."""
        lane.busy = False
        self._offer(lane)

    def unpark(self, lane: Lane) -> None:
        """The pause of a lane is over."""
        if lane.parked:
            lane.parked = False
            self.parked -= len(lane.waiting)
            self._offer(lane)

    def take_head(self, lane: Lane) -> InFlightMessage:
        """Take the head of a lane out; what is behind it goes on."""
        self.unpark(lane)
        head = lane.waiting.popleft()
        self._forget_empty(lane)
        return head

    def cut(self, lane: Lane, first: InFlightMessage | None = None) -> list[InFlightMessage]:
        """Take `first` and everything behind it (or the whole lane) out, in order."""
        kept: deque[InFlightMessage] = deque()
        while lane.waiting and lane.waiting[0] is not first and first is not None:
            kept.append(lane.waiting.popleft())
        out = list(lane.waiting)
        lane.waiting = kept
        if lane.parked:
            self.parked -= len(out)
            lane.parked = bool(kept)
        self._forget_empty(lane)
        return out

    def lane(self, key: str) -> Lane | None:
        """The lane with this key, while it holds anything."""
        return self._lanes.get(key)

    def _is_ready(self, lane: Lane) -> bool:
        return bool(lane.waiting) and not lane.busy and not lane.parked

    def _offer(self, lane: Lane) -> None:
        if not lane.waiting:
            self._forget_empty(lane)
        elif not lane.queued and self._is_ready(lane):
            lane.queued = True
            self._ready.append(lane)

    def _forget_empty(self, lane: Lane) -> None:
        if not lane.waiting and not lane.busy and self._lanes.get(lane.key) is lane:
            del self._lanes[lane.key]
