"""The messages of one queue and their visibility over time."""

from collections.abc import Callable, Generator, Iterator

from orca_daemon.engine.memory.agenda import Agenda
from orca_daemon.engine.memory.line import FifoLine, Line, StandardLine
from orca_daemon.engine.memory.stored import State, Stored


class Shelf:
    """Keeps messages, hides and shows them.  Every change is O(log n), however many there are."""

    def __init__(self, *, fifo: bool, record: Callable[[float, str, Stored], None]) -> None:
        self._record = record
        self._messages: dict[int, Stored] = {}
        self._line: Line = FifoLine() if fifo else StandardLine()
        self._hidden = Agenda()
        self._ages = Agenda()
        self.in_flight = 0
        self.delayed = 0

    def __iter__(self) -> Iterator[Stored]:
        return iter(list(self._messages.values()))

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def ready(self) -> bool:
        """Whether a receive may find something."""
        return self._line.ready

    @property
    def next_change(self) -> float | None:
        """When the next lease or delay ends."""
        return self._hidden.next()

    def get(self, sequence: int) -> Stored | None:
        """The message of that number, if it is still there."""
        return self._messages.get(sequence)

    def add(self, message: Stored, *, delayed_until: float | None = None) -> None:
        """Take a new message in."""
        message.state = State.VISIBLE if delayed_until is None else State.DELAYED
        self.restore(message, delayed_until)

    def hidden_until(self, message: Stored) -> float | None:
        """When the message's delay or lease ends; None for a visible one."""
        return self._hidden.get(message.sequence)

    def restore(self, message: Stored, hidden_until: float | None) -> None:
        """Take a message in as it was left: in flight, delayed or visible."""
        self._messages[message.sequence] = message
        self._ages.set(message.sequence, message.sent_at)
        self.in_flight += message.state is State.IN_FLIGHT
        self.delayed += message.state is State.DELAYED
        if hidden_until is not None:
            self._hidden.set(message.sequence, hidden_until)
        self._line.enter(message)

    def candidates(self) -> Generator[Stored]:
        """Visible messages in order of delivery.

        Call `take` or `remove` for each message before you ask for the next one.
        """
        return self._line.candidates()

    def take(self, message: Stored) -> None:
        """Mark a visible message as in flight.  The caller must call `hide` or `show` afterwards."""
        message.state = State.IN_FLIGHT
        self.in_flight += 1

    def hide(self, message: Stored, until: float) -> None:
        """Keep a message from sight until then."""
        self._hidden.set(message.sequence, until)

    def show(self, message: Stored) -> None:
        """Make a message visible."""
        self._count_out(message)
        self._hidden.drop(message.sequence)
        message.state = State.VISIBLE
        self._line.show(message)

    def remove(self, message: Stored) -> None:
        """Let a message go for ever."""
        self._count_out(message)
        message.state = State.GONE
        del self._messages[message.sequence]
        self._hidden.drop(message.sequence)
        self._ages.drop(message.sequence)
        self._line.leave(message)

    def advance(self, now: float, retention: float) -> None:
        """Show what is no longer hidden by now, remove what is older than `retention` seconds."""
        for moment, sequence in self._hidden.due(now):
            message = self._messages[sequence]
            self._record(moment, "lapsed" if message.state is State.IN_FLIGHT else "shown", message)
            self.show(message)
        for sent_at, sequence in self._ages.due(now - retention):
            message = self._messages[sequence]
            self.remove(message)
            self._record(sent_at + retention, "retired", message)

    def _count_out(self, message: Stored) -> None:
        if message.state is State.IN_FLIGHT:
            self.in_flight -= 1
        elif message.state is State.DELAYED:
            self.delayed -= 1
