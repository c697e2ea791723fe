"""What the steps of a message's script do: how long each takes, and how it ends."""

import asyncio
from collections.abc import Callable, Mapping

from orca_daemon.engine.errors import DependencyDown, NotYet, Refused, Reject
from tests.simulation.history import LONG

DURATION = {
    "ok": 0.05,
    "slow": 8.0,
    "long": LONG,
    "fail": 0.02,
    "reject": 0.01,
    "suspect": 0.02,
    "stall": 0.05,
    "early": 0.02,
    "cancelled": 0.02,
    "hang": 1e9,
    "spoil": 0.02,
    "denied": 0.02,
    "stubborn": 30.0,
}
DEAF = 4.0
"""Seconds for which stubborn work goes on after it was cancelled; it succeeds then."""

FAILURES: Mapping[str, Callable[[], BaseException]] = {
    "reject": lambda: Reject("bad by script"),
    "fail": lambda: ValueError("fails by script"),
    "suspect": lambda: DependencyDown("base", "says this message"),
    "early": lambda: NotYet("something is still to come"),
    "cancelled": asyncio.CancelledError,  # of something that the handler waited for
}


async def follow(step: str, place: str) -> bool:
    """Go through one step, to whatever end; the failures of a place are of that place.

    True where it was cancelled, and went on to its end all the same.
    """
    stubborn = False
    try:
        await asyncio.sleep(DURATION[step])
    except asyncio.CancelledError:
        if step != "stubborn":
            raise
        stubborn = True
        await asyncio.sleep(DEAF)
    if step == "spoil":
        raise DependencyDown("store", "by script", place=place)
    if step == "denied":
        raise Refused("store", "denied by script", place=place)
    if failure := FAILURES.get(step):
        raise failure()
    return stubborn
