"""An event loop whose clock jumps to the next timer instead of waiting for it."""

import asyncio
import selectors
from collections.abc import Callable, Mapping
from typing import Any


class DeadlockError(Exception):
    """Nothing is ready and no timer is set: whatever is awaited can never happen."""


class LivelockError(Exception):
    """The loop goes round and round, and no time passes."""


PATIENCE = 100_000
"""Turns of the loop at one moment of virtual time."""


class _Selector(selectors.BaseSelector):
    """Waits for nothing: time passes by as much as was to be waited."""

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self.now = 0.0
        self.strike: tuple[int, Callable[[], None]] | None = None
        self._turns = 0

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise DeadlockError
        self._turns = 0 if timeout > 0 else self._turns + 1
        if self._turns > PATIENCE:
            self._turns = 0
            raise LivelockError
        if not self._struck():
            self.now += max(timeout, 0.0)
        return []

    def _struck(self) -> bool:
        if self.strike is None:
            return False
        left, act = self.strike
        self.strike = (left - 1, act) if left > 1 else None
        if self.strike is None:
            act()
        return self.strike is None

    def close(self) -> None:
        self._real.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs hours in milliseconds.  `stall` lets time pass while nothing else can run."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)
        self.complaints: list[str] = []
        self.set_exception_handler(lambda _, context: self.complaints.append(str(context.get("message"))))

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._virtual.now

    def stall(self, seconds: float) -> None:
        """A blocking call on the loop."""
        self._virtual.now += seconds

    def strike_after(self, turns: int | None, act: Callable[[], None]) -> None:
        """Call `act` between two turns of the loop, that many from now; None takes it back."""
        self._virtual.strike = None if turns is None else (turns, act)
