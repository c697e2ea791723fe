"""One dependency of the work that can be asked: up, or down and probed until it is up again."""

import asyncio
import random
from collections.abc import Awaitable, Callable

from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.events import BreakerChanged, Observer
from orca_daemon.engine.tally import Tally

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
        every: float,
        backoff: Backoff = PROBING,
    ) -> None:
        """`every` is the time in seconds between two probes of a dependency that is watched."""
        self.name = name
        self._probe = probe
        self._observe = observe
        self._rng = rng
        self._every = every
        self._backoff = backoff
        self._wanted = asyncio.Event()
        self._watch_until = 0.0
        self._probes = 0
        self.tally = Tally()
        """What the work and the probes met here: a probe counts as a message of its own."""
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

    @property
    def watched(self) -> bool:
        """Whether a message is suspected of failing here alone, so that what others meet is of interest."""
        return asyncio.get_running_loop().time() < self._watch_until

    def watch(self, seconds: float) -> None:
        """Probe for so long although nothing is known to be wrong: a message failed, and the probe did not.

        In a single FIFO group nobody else can show meanwhile that the dependency works.
        """
        self._watch_until = max(self._watch_until, asyncio.get_running_loop().time() + seconds + self._every)
        self._wanted.set()

    async def run(self) -> None:
        """Probe while open or watched, for ever; a supervised task."""
        failures = 0
        while True:
            if self.open:
                failures += 1
                await asyncio.sleep(self._backoff.delay(failures, self._rng))
            elif self.watched:
                await asyncio.sleep(self._every)
            else:
                failures = 0
                self._wanted.clear()
                await self._wanted.wait()
                continue
            problem = await self._ask()
            if problem is None:
                self._set(since=None, reason="the probe succeeded")
            elif not self.open:
                self._set(since=asyncio.get_running_loop().time(), reason=f"probe: {problem}")

    async def _ask(self) -> str | None:
        problem = await self._answer()
        if problem is None:
            self._probes += 1
            self.tally.success(f"probe {self._probes}")
        return problem

    async def _answer(self) -> str | None:
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
            self.tally.went_down()
            self._wanted.set()
        else:
            self.on_close()


def _name(error: BaseException | None) -> str | None:
    return None if error is None else type(error).__name__


def _forget(ended: asyncio.Future[None]) -> None:
    if not ended.cancelled():
        ended.exception()  # nobody else will look at it
