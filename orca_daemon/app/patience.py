"""Waits, at the start, for what may come by itself: the database, the queues, credentials, the clock."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

import structlog

from orca_daemon.app.checkup.database import UNUSABLE
from orca_daemon.app.checkup.findings import Finding, StartAction
from orca_daemon.aws.errors import Meaning, behind, meaning_of, reason_of
from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.errors import SourceError
from orca_daemon.ops.exits import StartConfigurationError
from orca_daemon.ops.health import StartWait

T = TypeVar("T")
BACKOFF = Backoff(base=1.0, cap=15.0)
CREDENTIALS_SETTLE = 300.0
"""Seconds after which refused credentials are wrong: AWS refuses a new key for some seconds too."""
_log: Any = structlog.get_logger()


async def patiently(
    what: str,
    ask: Callable[[], Awaitable[T]],
    judge: Callable[[Exception], Finding],
    report: Callable[[StartWait], None],
) -> T:
    """Repeat `ask` until it succeeds.

    Args:
        what: what is read, for the log and for `/readyz`.
        ask: reads it.
        judge: what a failure means; the start ends if the finding says REFUSE.
        report: gets what is waited for, before the first attempt and after each failure.

    Raises:
        StartConfigurationError: waiting will not help, or AWS has refused the credentials for too long.
    """
    rng, clock = random.Random(), asyncio.get_running_loop().time
    failures, refused_since = 0, None
    wait = StartWait(what, clock())
    report(wait)
    while True:
        try:
            return await ask()
        except (SourceError, *UNUSABLE) as error:
            finding = judge(error)
            if finding.at_start is StartAction.REFUSE:
                raise StartConfigurationError(finding.sentence) from error
            refused = _refused_credentials(error)
            refused_since = (refused_since or clock()) if refused else None
            if refused and refused_since and clock() - refused_since >= CREDENTIALS_SETTLE:
                raise StartConfigurationError(
                    f"{what}: {refused}: correct the key, the profile or the role"
                ) from error
            failures += 1
            report(replace(wait, reason=str(error)))
            _log.warning("start.waiting", waiting_for=what, reason=str(error), failures=failures)
            await asyncio.sleep(BACKOFF.delay(failures, rng))


def _refused_credentials(error: Exception) -> str | None:
    """AWS's refusal of our credentials as one line; None if the error has another cause."""
    answer = behind(error)
    if answer is None or meaning_of(answer) is not Meaning.CREDENTIALS:
        return None
    return reason_of(answer)
