"""Runs several coroutines at one time, each to its end."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

from orca_daemon.engine.errors import DependencyDown, NotYet, Refused, Reject

MOST = 3
"""Sentences in the reason of one rejection."""


async def all_of(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do all of them; one that fails does not stop the others.  Raises what `verdict` makes of failures."""
    ended = await asyncio.gather(*works, return_exceptions=True)
    if failures := [error for error in ended if isinstance(error, BaseException)]:
        raise verdict(failures)


def verdict(failures: list[BaseException]) -> BaseException:
    """What the message as a whole has come to: it is rejected only when nothing of it can be retried."""
    worst = min(failures, key=_rank)
    if not isinstance(worst, Reject):
        return worst
    if len(failures) == 1:
        return failures[0]
    text = "; ".join(str(error) for error in failures[:MOST])
    more = len(failures) - MOST
    return Reject(f"{text}; and {more} more" if more > 0 else text)


def _rank(error: BaseException) -> int:
    match error:
        case DependencyDown():
            return 0
        case NotYet():
            return 1
        case Refused():
            return 2
        case Reject():
            return 4
        case _:
            return 3
