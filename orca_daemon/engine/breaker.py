"""One dependency that has a probe: it is up, or it is down and is probed until it is up again."""

import asyncio
import random
from collections.abc import Awaitable, Callable

from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.errors import DependencyDown
from orca_daemon.engine.events import BreakerChanged, Observer
from orca_daemon.engine.tally import Tally
from orca_daemon.engine.verdict import reason as reason_of

PROBE_SECONDS = 10.0
PROBING = Backoff(base=1.0, cap=15.0, floor=0.2)


class Breaker:
    """Open while its dependency is down.  `probe` returns if the dependency answers, and raises if not.

    Its state is written by its own task (`run`), and by the tasks of runs that report a failure.
    """

    def __init__(
        self,
        name: str,
        probe: Callable[[], Awaitable[None]],
        *,
        observe: Observer,
        rng: random.Random,
        every: float,
    ) -> None:
        """`every` is the time in seconds between two probes of a dependency that is watched."""
        self.name = name
        self._probe = probe
        self._observe = observe
        self._rng = rng
        self._every = every
        self._wanted = asyncio.Event()
        self._watch_until = 0.0
        self._probes = 0
        self.tally = Tally()
        """Successes and failures of messages and probes: a probe counts as a message of its own."""
        self._probing: asyncio.Task[str | None] | None = None
        self.open_since: float | None = None

    @property
    def open(self) -> bool:
        """Whether the dependency is known to be down."""
        return self.open_since is not None

    async def report(self, reason: str) -> bool:
        """A run found the dependency down.  Probe it: return True if it is down, False if it answers."""
        if self.open:
            return True
        # Many runs report at the same time.  They share one probe, which goes on if one of the runs is
        # cancelled.
        if self._probing is None or self._probing.done():
            self._probing = asyncio.create_task(self._probe_and_count(), name=f"probe of {self.name}")
        problem = await asyncio.shield(self._probing)
        if problem is None:
            return False
        self._set(since=asyncio.get_running_loop().time(), reason=f"{reason or self.name}; probe: {problem}")
        return True

    @property
    def watched(self) -> bool:
        """Whether a message failed here although the probe succeeded: then others' successes are counted."""
        return asyncio.get_running_loop().time() < self._watch_until

    def watch(self, seconds: float) -> None:
        """Probe for `seconds` although the dependency seems up: a message failed here, the probe succeeded.

        If all messages are in one FIFO group, only probes can show meanwhile that the dependency works.
        """
        self._watch_until = max(self._watch_until, asyncio.get_running_loop().time() + seconds + self._every)
        self._wanted.set()

    async def run(self) -> None:
        """Probe while open or watched, for ever; a supervised task."""
        failures = 0
        while True:
            if self.open:
                failures += 1
                await asyncio.sleep(PROBING.delay(failures, self._rng))
            elif self.watched:
                await asyncio.sleep(self._every)
            else:
                failures = 0
                self._wanted.clear()
                await self._wanted.wait()
                continue
            problem = await self._probe_and_count()
            if problem is None:
                self._set(since=None, reason="the probe succeeded")
            elif not self.open:
                self._set(since=asyncio.get_running_loop().time(), reason=f"probe: {problem}")

    async def _probe_and_count(self) -> str | None:
        problem = await self._probe_once()
        if problem is None:
            self._probes += 1
            self.tally.success(f"probe {self._probes}")
        return problem

    async def _probe_once(self) -> str | None:
        probing = asyncio.ensure_future(self._probe())
        probing.add_done_callback(_forget)
        try:
            await asyncio.wait({probing}, timeout=PROBE_SECONDS)
            if not probing.done():
                return "no answer in time"
            return "cancelled" if probing.cancelled() else _reason(probing.exception())
        finally:
            # Cancelled but not awaited, because a probe that does not stop would hold up runs.
            probing.cancel()

    def _set(self, *, since: float | None, reason: str) -> None:
        if (since is None) is (self.open_since is None):
            return
        self.open_since = since
        self._observe(BreakerChanged(self.name, open=self.open, reason=reason))
        if self.open:
            self.tally.went_down()
            self._wanted.set()


def _reason(error: BaseException | None) -> str | None:
    if isinstance(error, DependencyDown):
        return error.reason
    return None if error is None else reason_of(error)


def _forget(ended: asyncio.Future[None]) -> None:
    if not ended.cancelled():
        ended.exception()  # read it, or asyncio logs it: the probe may have failed after its time limit
