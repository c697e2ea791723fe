"""Whether the process is alive, and whether it is ready: decisions about the engine's state and the time.

Liveness asks only what a restart would mend; an outage of Postgres, S3 or SQS is none of that.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from orca_daemon.engine.state import EngineState, QueueState


@dataclass(frozen=True, slots=True)
class Check:
    """One answer; `detail` is a sentence for an operator."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthLimits:
    """Seconds after which something is wrong."""

    poll_cycle: float = 110.0
    """A poller that neither began nor ended a receive for so long is dead."""
    fresh_poll: float = 120.0
    """A queue that was not read for so long is not being worked."""
    loop_lag: float = 5.0

    @classmethod
    def of(cls, *, wait: float, backoff_cap: float = 30.0) -> "HealthLimits":
        """The limits for a length of the long poll: its watchdog, and three of the longest pauses."""
        cycle = wait + 10.0 + 3 * backoff_cap
        return cls(poll_cycle=cycle, fresh_poll=max(120.0, cycle))


def liveness(state: EngineState, limits: HealthLimits, *, now: float, loop_lag: float) -> tuple[Check, ...]:
    """Restart the process unless all of these hold."""
    lag = Check("event_loop", loop_lag <= limits.loop_lag, f"the last timer was {loop_lag:.3f} s late")
    return (lag, *(_poller(state, queue, limits, now) for queue in state.queues))


def readiness(state: EngineState, limits: HealthLimits, *, now: float) -> tuple[Check, ...]:
    """The process does its work if all of these hold."""
    return (
        Check("started", state.started, "queues are resolved" if state.started else "still starting"),
        Check("draining", not state.draining, "the process is stopping" if state.draining else "no"),
        Check("paused", not state.paused, "an operator holds the intake" if state.paused else "no"),
        *(_dependency(state, name, since, now) for name, since in sorted(state.breakers.items())),
        *(_fresh(queue, limits, now) for queue in state.queues),
    )


def holds(checks: Iterable[Check]) -> bool:
    """Whether all is well."""
    return all(check.ok for check in checks)


def _poller(state: EngineState, queue: QueueState, limits: HealthLimits, now: float) -> Check:
    name = f"poller:{queue.name}"
    if state.started_at is None:
        return Check(name, True, "not started yet")
    if state.draining or state.paused or queue.breaker_open:
        return Check(name, True, "not to poll now")
    if queue.waiting_for_permits:
        # Not how long a message is in flight: behind one that cannot be set aside they wait for hours, and a
        # restart would only cost each of them a receive.
        age = 0.0 if queue.at_work_since is None else now - queue.at_work_since
        # Work past its limit is cancelled and settled; a margin for that, then it is a stuck handler.
        limit = queue.age_limit + limits.poll_cycle
        return Check(
            name, not queue.age_limit or age <= limit, f"all permits in use; at work for {age:.0f} s"
        )
    quiet = now - max(state.started_at, queue.poller_moved or 0.0)
    return Check(name, quiet <= limits.poll_cycle, f"last sign of life {quiet:.0f} s ago")


def _dependency(state: EngineState, name: str, since: float | None, now: float) -> Check:
    # Not that it answers: one that is judged by place is not asked.
    detail = "not known to be down" if since is None else f"down for {now - since:.0f} s"
    if since is not None and (places := state.places_down.get(name)):
        detail += f": {', '.join(places)}"
    return Check(f"dependency:{name}", since is None, detail)


def _fresh(queue: QueueState, limits: HealthLimits, now: float) -> Check:
    name = f"queue:{queue.name}"
    if queue.last_poll_success is None:
        return Check(name, False, "not read yet")
    age = now - queue.last_poll_success
    if queue.waiting_for_permits:
        return Check(name, True, f"read {age:.0f} s ago; all permits are in use")
    return Check(name, age <= limits.fresh_poll, f"read {age:.0f} s ago")
