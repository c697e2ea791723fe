"""One call of a handler with a run, and how it ended."""

import asyncio
from collections.abc import Mapping
from typing import Any

from orca_daemon.engine import places
from orca_daemon.engine.errors import DependencyDown, NotYet, Refused, Reject
from orca_daemon.engine.events import Attempted, Observer
from orca_daemon.engine.lanes import Run
from orca_daemon.engine.message import Delivery
from orca_daemon.engine.route import Route


class StoppedError(Exception):
    """The attempt was cancelled by the engine, which has other plans for its messages."""


async def attempt(
    queue: str, route: Route[Any], run: Run, observe: Observer, succeeded: places.Succeeded
) -> BaseException | None:
    """Call the handler once; its error is returned, not raised.

    `succeeded` hears at once where an operation of it succeeded.  A cancellation that the engine asked for
    (`run.stop`) ends here; one of the whole engine goes on; one that comes out of the handler's own doings,
    from a task that it awaited, is a failure like any other.
    """
    messages = run.messages
    now = asyncio.get_running_loop().time
    error: BaseException | None = None
    places.listen(succeeded)
    try:
        await route.handle(
            [Delivery(held.message, held.envelope, held.attempts + 1, held.facts) for held in messages]
        )
    except asyncio.CancelledError as problem:
        if run.stop is None and _being_cancelled():
            raise
        error = problem
    except Exception as problem:  # noqa: BLE001  any error is an outcome
        error = problem
    if run.stop is not None:
        _forget_cancellation()
        if error is not None:
            error = _stopped(run.stop, route)
    seconds = now() - run.started
    for held in messages:
        held.work_seconds += seconds
    envelopes = tuple(held.envelope for held in messages)
    reported = None if isinstance(error, StoppedError) else error
    observe(Attempted(queue, envelopes, messages[0].attempts + 1, seconds, reported, _outcome(run, error)))
    # The work is over, one way or the other: what follows may be stopped for reasons of its own.
    run.stop, run.started, run.expires = None, now(), now() + route.time_limit
    return error


def _stopped(why: str, route: Route[Any]) -> Exception:
    """What the error of work that we stopped ourselves is, whatever the handler made of it."""
    return (
        TimeoutError(f"not done within {route.time_limit:.0f} s") if why == "expired" else StoppedError(why)
    )


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _forget_cancellation() -> None:
    if task := asyncio.current_task():
        task.uncancel()


_OUTCOMES: Mapping[type[BaseException], str] = {
    Reject: "rejected",
    DependencyDown: "down",
    Refused: "refused",
    NotYet: "early",
}


def _outcome(run: Run, error: BaseException | None) -> str:
    if error is None:
        return "done"
    if run.stop is not None and isinstance(error, StoppedError | TimeoutError):
        return run.stop
    return next((name for kind, name in _OUTCOMES.items() if isinstance(error, kind)), "failed")
