"""Messages in hand, in lanes: a lane is a group on a FIFO queue, and one message on a standard queue.

A lane hands out one run at a time, from its head.  What fails goes back to the head, so a lane is always in
order.  Pure bookkeeping: no clock, no effects.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from orca_daemon.engine.in_flight_message import InFlightMessage, Isolation, Phase


@dataclass(slots=True, eq=False)
class Lane:
    """The messages of one group, in order.  `busy` while a run has its head, `parked` between attempts."""

    key: str
    waiting: deque[InFlightMessage] = field(default_factory=deque)
    busy: bool = False
    parked: bool = False
    queued: bool = False


@dataclass(slots=True, eq=False)
class Run:
    """Messages that are worked together: of one lane, or of the heads of several."""

    parts: list[tuple[Lane, list[InFlightMessage]]]
    messages: list[InFlightMessage]
    """All of them, lane by lane, each lane in order."""
    started: float = 0.0
    expires: float = 0.0
    """When its time limit is over."""
    stop: str | None = None
    """Why it was cancelled: `lost`, `expired`, `ended` or `drained`."""
    stopped_at: float = 0.0
    last: bool = False
    """Whether its limit is that of the delivery, which is too old for another."""
    succeeded: set[tuple[str, str]] | None = None
    """Dependencies and places at which an operation of the attempt succeeded."""

    @property
    def oldest(self) -> float:
        """When the first of its messages was received."""
        if len(self.parts) == 1:
            return self.messages[0].received
        return min(part[0].received for _, part in self.parts)


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

    def add(self, key: str, held: InFlightMessage) -> None:
        """Append a message to its lane."""
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(key)
        lane.waiting.append(held)
        self.parked += lane.parked
        self._offer(lane)

    def next_run(self) -> Run | None:
        """The next run, if any lane is ready; its lanes are busy until `done`."""
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
        """The head of a lane: as many messages as may keep each other company."""
        lane.busy = True
        isolation = lane.waiting[0].isolation
        most = 1 if isolation is Isolation.ALONE else limit
        part: list[InFlightMessage] = []
        while lane.waiting and len(part) < most and lane.waiting[0].isolation is isolation:
            held = lane.waiting.popleft()
            held.phase = Phase.RUNNING
            part.append(held)
        return part

    def put_back(self, lane: Lane, messages: Iterable[InFlightMessage], *, park: bool = False) -> None:
        """Return messages of a run to the head of their lane; `park` it until `unpark`."""
        back = list(messages)
        for held in back:
            held.phase = Phase.WAITING
        lane.waiting.extendleft(reversed(back))
        if park and lane.waiting:
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
        """The lane of a group, while it holds anything."""
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
