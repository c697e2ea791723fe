"""Decides whether the process is live and ready, from the engine's state, the loop's lag and the time.

Liveness checks only what a restart would fix, so an outage of Postgres, S3 or SQS does not fail it.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from orca_daemon.engine.poller import POLL_BACKOFF
from orca_daemon.engine.state import EngineState, QueueState


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `/livez` or `/readyz`; `detail` is a sentence for an operator."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthLimits:
    """Limits in seconds; a check fails beyond them."""

    poll_cycle: float = 110.0
    """A poller that neither began nor ended a receive within this time is dead."""
    fresh_poll: float = 120.0
    """A queue that was not read within this time is not being processed."""
    loop_lag: float = 5.0

    @classmethod
    def of(cls, *, wait: float) -> "HealthLimits":
        """Limits for a long poll of `wait` seconds: its own time limit, and three of the longest backoffs."""
        cycle = wait + 10.0 + 3 * POLL_BACKOFF.cap
        return cls(poll_cycle=cycle, fresh_poll=max(120.0, cycle))


@dataclass(frozen=True, slots=True)
class StartWait:
    """What the start waits for.  `/readyz` shows the texts, so they hold no secret."""

    what: str
    """What is read: `the database`, `queue recovery`."""
    since: float
    """When it was first read; seconds of the monotonic clock."""
    reason: str = ""
    """Why the latest attempt failed; empty before the first failure."""

    def describe(self, now: float) -> str:
        """One sentence for an operator."""
        waiting = f"the start waits for {self.what} for {now - self.since:.0f} s"
        return f"{waiting}: {self.reason}" if self.reason else waiting


class LoopLag:
    """Measures how late the event loop runs timers, in seconds: a blocking call delays all other tasks."""

    def __init__(self, observe: Callable[[float], None] = lambda _: None, interval: float = 1.0) -> None:
        self._observe = observe
        self._interval = interval
        self.latest = 0.0

    async def run(self) -> None:
        """Measure for ever; a supervised task."""
        now = asyncio.get_running_loop().time
        while True:
            due = now() + self._interval
            await asyncio.sleep(self._interval)
            self.latest = max(0.0, now() - due)
            self._observe(self.latest)


def liveness(state: EngineState, limits: HealthLimits, *, now: float, loop_lag: float) -> tuple[Check, ...]:
    """The checks of `/livez`: the supervisor restarts the process if one fails."""
    lag = Check("event_loop", loop_lag <= limits.loop_lag, f"the last timer was {loop_lag:.3f} s late")
    return (lag, *(_poller(state, queue, limits, now) for queue in state.queues))


def readiness(
    state: EngineState, limits: HealthLimits, *, now: float, start_wait: StartWait | None = None
) -> tuple[Check, ...]:
    """The checks of `/readyz`: the process receives and processes messages if all hold."""
    starting = start_wait.describe(now) if start_wait else "still starting"
    return (
        Check("started", state.started, "queues are resolved" if state.started else starting),
        Check("draining", not state.draining, "the process is stopping" if state.draining else "no"),
        Check("paused", not state.paused, "an operator paused the intake" if state.paused else "no"),
        *(_dependency(state, name, since, now) for name, since in sorted(state.breakers.items())),
        *(_fresh(queue, limits, now) for queue in state.queues),
    )


def holds(checks: Iterable[Check]) -> bool:
    """Whether every check is ok."""
    return all(check.ok for check in checks)


def _poller(state: EngineState, queue: QueueState, limits: HealthLimits, now: float) -> Check:
    name = f"poller:{queue.name}"
    if state.started_at is None:
        return Check(name, True, "not started yet")
    if state.draining or state.paused or queue.paused or queue.breaker_open:
        return Check(name, True, "polling is suspended")
    if queue.waiting_for_permits:
        # Judge by the time of the current attempt, because messages may wait in flight for hours behind one
        # that cannot be dead-lettered, and a restart would only cost each of them a receive.
        age = 0.0 if queue.at_work_since is None else now - queue.at_work_since
        # The engine cancels and settles work past its limit; beyond a margin for that, the handler is stuck.
        limit = queue.age_limit + limits.poll_cycle
        return Check(
            name, not queue.age_limit or age <= limit, f"all permits in use; at work for {age:.0f} s"
        )
    silence = now - max(state.started_at, queue.poller_moved or 0.0)
    return Check(name, silence <= limits.poll_cycle, f"last sign of life {silence:.0f} s ago")


def _dependency(state: EngineState, name: str, since: float | None, now: float) -> Check:
    # "Not known to be down", because a dependency that is judged by place has no probe that could succeed.
    detail = "not known to be down" if since is None else f"down for {now - since:.0f} s"
    if since is not None and (places := state.places_down.get(name)):
        detail += f": {', '.join(places)}"
    return Check(f"dependency:{name}", since is None, detail)


def _fresh(queue: QueueState, limits: HealthLimits, now: float) -> Check:
    name = f"queue:{queue.name}"
    if queue.paused:
        # Ready all the same: a roll must not wait until somebody resumes a queue.
        return Check(name, True, "an operator paused it")
    if queue.last_poll_success is None:
        return Check(name, False, "not read yet")
    age = now - queue.last_poll_success
    if queue.waiting_for_permits:
        return Check(name, True, f"read {age:.0f} s ago; all permits are in use")
    return Check(name, age <= limits.fresh_poll, f"read {age:.0f} s ago")
