"""What the steps of a message's script do: how long each takes, and how it ends."""

import asyncio
from collections.abc import Callable, Mapping

from orca_daemon.engine.errors import DependencyDown, NotYet, Reject

DURATION = {
    "ok": 0.05,
    "slow": 8.0,
    "long": 200.0,
    "fail": 0.02,
    "reject": 0.01,
    "suspect": 0.02,
    "stall": 0.05,
    "early": 0.02,
    "cancelled": 0.02,
    "hang": 1e9,
}

FAILURES: Mapping[str, Callable[[], BaseException]] = {
    "reject": lambda: Reject("bad by script"),
    "fail": lambda: ValueError("fails by script"),
    "suspect": lambda: DependencyDown("base", "says this message"),
    "early": lambda: NotYet("something is still to come"),
    "cancelled": asyncio.CancelledError,  # of something that the handler waited for
}


async def follow(step: str) -> None:
    """Go through one step, to whatever end."""
    await asyncio.sleep(DURATION[step])
    if failure := FAILURES.get(step):
        raise failure()
