"""Waiting, at the start, for what may come by itself: the database, the queues, credentials, the clock."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog

from orca_daemon.app.exits import StartConfigurationError
from orca_daemon.aws.errors import Meaning, behind, meaning_of, reason_of
from orca_daemon.db.address import AddressError
from orca_daemon.db.failures import PostgresError
from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.errors import DependencyDown, SourceError

T = TypeVar("T")
BACKOFF = Backoff(base=1.0, cap=15.0)
CREDENTIALS_SETTLE = 300.0
"""Seconds after which refused credentials are wrong ones: a key made just now is refused for some seconds."""
_log: Any = structlog.get_logger()


async def patiently(
    what: str, ask: Callable[[], Awaitable[T]], final: Callable[[Exception], str | None]
) -> T:
    """Ask until there is an answer.

    Args:
        what: what is asked, for the log.
        ask: asks it.
        final: says which failure waiting will not mend, and what to do.

    Raises:
        StartConfigurationError: waiting will not mend it, or AWS has refused the credentials for too long.
    """
    rng, clock = random.Random(), asyncio.get_running_loop().time
    failures, refused_since = 0, None
    while True:
        try:
            return await ask()
        except (SourceError, DependencyDown, PostgresError, AddressError) as error:
            if sentence := final(error):
                raise StartConfigurationError(sentence) from error
            refused = _refused_credentials(error)
            refused_since = (refused_since or clock()) if refused else None
            if refused and refused_since and clock() - refused_since >= CREDENTIALS_SETTLE:
                raise StartConfigurationError(
                    f"{what}: {refused}: correct the key, the profile or the role"
                ) from error
            failures += 1
            _log.warning("start.waiting", waiting_for=what, reason=str(error), failures=failures)
            await asyncio.sleep(BACKOFF.delay(failures, rng))


def _refused_credentials(error: Exception) -> str | None:
    """How AWS refused our credentials, if that is what is behind this error."""
    answer = behind(error)
    if answer is None or meaning_of(answer) is not Meaning.CREDENTIALS:
        return None
    return reason_of(answer)
