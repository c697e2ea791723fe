"""Long polls under way: who is woken when something becomes visible, and when that will be."""

import asyncio
from collections import deque
from collections.abc import Callable

_GRAIN = 0.001
"""Seconds by which a timer may be late, so that rounding cannot make one fire for ever in no time."""


class Polls:
    """Polls that wait, first come, first woken.

    Being woken means to look again, nothing more: a message is taken by the poll itself when it resumes, so
    that a poll which was abandoned meanwhile takes none with it.
    """

    def __init__(self, clock: Callable[[], float], advance: Callable[[], float | None]) -> None:
        """`advance` brings the queue up to date and says when it will have to be done again."""
        self._clock = clock
        self._advance = advance
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    async def wait(self, until: float) -> bool:
        """Wait to be woken; False at the moment `until` of the queue's clock."""
        loop = asyncio.get_running_loop()
        poll: asyncio.Future[bool] = loop.create_future()
        self._waiting.append(poll)
        end = loop.call_at(self._on_loop(until), _finish, poll)
        self.arm()
        try:
            return await poll
        except asyncio.CancelledError:
            if poll.done() and not poll.cancelled() and poll.result():
                self.wake()
            raise
        finally:
            end.cancel()
            self._forget(poll)

    def wake(self) -> None:
        """Let the poll that has waited longest look again."""
        while self._waiting:
            poll = self._waiting.popleft()
            if not poll.done():
                poll.set_result(True)
                return

    def wake_all(self) -> None:
        """Let every poll look again."""
        for _ in range(len(self._waiting)):
            self.wake()

    def arm(self) -> None:
        """Set the timer for the next moment that concerns the polls.  Without polls there is no timer."""
        due = self._advance() if self._waiting else None
        if self._timer is not None and (due is None or due < self._due):
            self._timer.cancel()
            self._timer = None
        if due is not None and self._timer is None:
            self._due = due
            self._timer = asyncio.get_running_loop().call_at(self._on_loop(due), self._ring)

    def _ring(self) -> None:
        self._timer = None
        self.arm()

    def _forget(self, poll: asyncio.Future[bool]) -> None:
        if poll in self._waiting:
            self._waiting.remove(poll)
        if not self._waiting and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_loop(self, moment: float) -> float:
        return asyncio.get_running_loop().time() + max(moment - self._clock(), _GRAIN)


def _finish(poll: asyncio.Future[bool]) -> None:
    if not poll.done():
        poll.set_result(False)
