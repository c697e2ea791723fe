"""One dependency of the work: up, or down and probed until it is up again."""

import asyncio
import random
from collections.abc import Awaitable, Callable

from orca_daemon.engine.events import BreakerChanged, Observer
from orca_daemon.engine.policy import Backoff

PROBE_SECONDS = 10.0
PROBING = Backoff(base=1.0, cap=15.0, floor=0.2)


class Breaker:
    """Open while its dependency is down.  `probe` returns when the dependency answers, or raises."""

    def __init__(
        self,
        name: str,
        probe: Callable[[], Awaitable[None]],
        *,
        observe: Observer,
        rng: random.Random,
        backoff: Backoff = PROBING,
    ) -> None:
        self.name = name
        self._probe = probe
        self._observe = observe
        self._rng = rng
        self._backoff = backoff
        self._opened = asyncio.Event()
        self._asking: asyncio.Task[str | None] | None = None
        self.on_close: Callable[[], None] = lambda: None
        self.open_since: float | None = None

    @property
    def open(self) -> bool:
        """Whether the dependency is known to be down."""
        return self.open_since is not None

    async def report(self, reason: str) -> bool:
        """Somebody found the dependency down.  Ask it: True if it is, False if it answers."""
        if self.open:
            return True
        # Reports come in crowds: one question answers them all.
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        problem = await asyncio.shield(self._asking)
        if problem is None:
            return False
        self._set(since=asyncio.get_running_loop().time(), reason=f"{reason or self.name}; probe: {problem}")
        return True

    async def run(self) -> None:
        """Probe while open, for ever; a supervised task."""
        failures = 0
        while True:
            if not self.open:
                failures = 0
                self._opened.clear()
                await self._opened.wait()
            failures += 1
            await asyncio.sleep(self._backoff.delay(failures, self._rng))
            if await self._ask() is None:
                self._set(since=None, reason="the probe succeeded")

    async def _ask(self) -> str | None:
        asking = asyncio.ensure_future(self._probe())
        asking.add_done_callback(_forget)
        try:
            await asyncio.wait({asking}, timeout=PROBE_SECONDS)
            if not asking.done():
                return "no answer in time"
            return "cancelled" if asking.cancelled() else _name(asking.exception())
        finally:
            # Not waited for: a probe that is deaf must not decide how long others wait.
            asking.cancel()

    def _set(self, *, since: float | None, reason: str) -> None:
        if (since is None) is (self.open_since is None):
            return
        self.open_since = since
        self._observe(BreakerChanged(self.name, open=self.open, reason=reason))
        if self.open:
            self._opened.set()
        else:
            self.on_close()


def _name(error: BaseException | None) -> str | None:
    return None if error is None else type(error).__name__


def _forget(ended: asyncio.Future[None]) -> None:
    if not ended.cancelled():
        ended.exception()  # nobody else will look at it
