"""The order in which visible messages are delivered: one line for standard queues, one for FIFO queues."""

from collections import OrderedDict, deque
from collections.abc import Generator
from itertools import islice
from typing import Protocol

from orca_daemon.engine.memory.stored import State, Stored

_SCAN = 10
"""How many messages of a group are looked at in one go: as many as one receive can take."""


class Line(Protocol):
    """Who may be delivered next.  It reads the states of messages and never changes them."""

    def enter(self, message: Stored) -> None:
        """A message was stored, visible or not."""
        ...

    def show(self, message: Stored) -> None:
        """A message became visible again, or for the first time."""
        ...

    def leave(self, message: Stored) -> None:
        """A message is gone."""
        ...

    @property
    def ready(self) -> bool:
        """Whether it is worth looking for a candidate."""
        ...

    def candidates(self) -> Generator[Stored]:
        """Visible messages, in order.

        Each must leave the visible state before the next is asked for.
        """
        ...


class StandardLine:
    """First come, first served; what becomes visible again goes to the end."""

    def __init__(self) -> None:
        self._visible: deque[Stored] = deque()

    def enter(self, message: Stored) -> None:  # noqa: D102  see Line
        if message.state is State.VISIBLE:
            self._visible.append(message)

    def show(self, message: Stored) -> None:  # noqa: D102  see Line
        self._visible.append(message)

    def leave(self, message: Stored) -> None:  # noqa: ARG002, D102  see Line
        # One that is still in the deque is passed over when its turn comes.
        self._prune()

    @property
    def ready(self) -> bool:  # noqa: D102  see Line
        self._prune()
        return bool(self._visible)

    def candidates(self) -> Generator[Stored]:  # noqa: D102  see Line
        while self._visible:
            message = self._visible.popleft()
            if message.state is State.VISIBLE:
                yield message

    def _prune(self) -> None:
        while self._visible and self._visible[0].state is not State.VISIBLE:
            self._visible.popleft()


class _Group:
    """The messages of one group, in order, and whether it stands in the line."""

    __slots__ = ("messages", "queued")

    def __init__(self) -> None:
        self.messages: OrderedDict[int, Stored] = OrderedDict()
        self.queued = False

    @property
    def open(self) -> bool:
        """Whether its head is visible: a hidden message holds up those behind it, not those before it."""
        head = next(iter(self.messages.values()), None)
        return head is not None and head.state is State.VISIBLE


class FifoLine:
    """Groups take turns; one group gives as many messages as it can (AWS: FIFO delivery logic)."""

    def __init__(self) -> None:
        self._groups: dict[str, _Group] = {}
        self._ready: deque[_Group] = deque()

    def enter(self, message: Stored) -> None:  # noqa: D102  see Line
        group = self._groups.get(message.group or "")
        if group is None:
            group = self._groups[message.group or ""] = _Group()
        group.messages[message.sequence] = message
        self._offer(group)

    def show(self, message: Stored) -> None:  # noqa: D102  see Line
        self._offer(self._groups[message.group or ""])

    def leave(self, message: Stored) -> None:  # noqa: D102  see Line
        group = self._groups[message.group or ""]
        del group.messages[message.sequence]
        if group.messages:
            self._offer(group)
        else:
            del self._groups[message.group or ""]

    @property
    def ready(self) -> bool:  # noqa: D102  see Line
        return bool(self._ready)

    def candidates(self) -> Generator[Stored]:  # noqa: D102  see Line
        while self._ready:
            group = self._ready.popleft()
            group.queued = False
            try:
                yield from self._prefix(group)
            finally:
                self._offer(group)

    @staticmethod
    def _prefix(group: _Group) -> Generator[Stored]:
        """Visible messages from the head on.  Delivered ones close the group, moved ones are out of it."""
        while group.open:
            for message in list(islice(group.messages.values(), _SCAN)):
                if message.state is not State.VISIBLE:
                    return
                yield message

    def _offer(self, group: _Group) -> None:
        if not group.queued and group.open:
            group.queued = True
            self._ready.append(group)
