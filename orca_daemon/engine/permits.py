"""How many messages a queue may still take in flight, and waiting until it may take more.

Permits are reserved before a receive and given back after it on every path, so no message is ever received
that there is no place for.
"""

import asyncio
from collections.abc import Callable

from orca_daemon.engine.source import BATCH


class Permits:
    """Two limits: messages in flight, and messages that are at work or ready for it.

    `reserved` is written by polling loops, `held` by the in-flight table, `settling` when deletes begin and
    end.
    """

    def __init__(self, *, held: int, active: int, least: int, parked: Callable[[], int]) -> None:
        self._held_limit = held
        self._active_limit = active
        self._least = min(least, BATCH, active, held)
        """Smaller receives are not worth their round trip."""
        self.held = 0
        self.reserved = 0
        self.settling = 0
        self._parked = parked
        self._changed = asyncio.Event()

    @property
    def free(self) -> int:
        """How many messages one receive may ask for now."""
        active = self.held - self._parked() - self.settling
        return min(
            BATCH,
            self._held_limit - self.held - self.reserved,
            self._active_limit - active - self.reserved,
        )

    @property
    def full(self) -> bool:
        """Whether a receive has to wait."""
        return self.free < self._least

    def reserve(self) -> int:
        """Take what is free, for one receive."""
        count = self.free
        self.reserved += count
        return count

    def give_back(self, count: int) -> None:
        """End a reservation, whether its receive succeeded or not."""
        self.reserved -= count
        self._changed.set()

    def changed(self) -> None:
        """Something happened that may have freed permits."""
        self._changed.set()

    async def wait(self) -> None:
        """Wait until something may have changed."""
        self._changed.clear()
        await self._changed.wait()
