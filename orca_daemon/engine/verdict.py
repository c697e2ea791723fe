"""What follows from a failure for the messages of a run: decisions, as functions of values."""

import traceback
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from orca_daemon.engine.errors import Reject
from orca_daemon.engine.events import Cause

REASON_LENGTH = 500
OURS = __name__.partition(".")[0] + "."


class Next(Enum):
    """What to do with a run after its attempt."""

    DELETE = "delete"
    """Its work is durable: delete its messages."""
    SPLIT = "split"
    """Repeat it in smaller runs: it is not known yet which message is at fault."""
    RETRY = "retry"
    """Repeat it after the route's backoff."""
    WAIT = "wait"
    """Repeat it later, and charge no message: the dependency may be at fault."""
    DEAD_LETTER = "dead_letter"
    """Give up its one message."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The next step of a run."""

    next: Next
    pause: float = 0.0
    """Seconds until a run that waits is repeated; 0 if a dependency that is down holds it back anyway."""
    charges: int = 0
    """Failed attempts that its one message is charged with."""
    cause: Cause = Cause.ATTEMPTS
    """Why its message is given up, as a label; `reason` is the same as a sentence."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed attempt: its error, the size of its run, its message's attempts with this one."""

    error: BaseException
    messages: int
    attempts: int


def decide(failure: Failure, max_attempts: int) -> Decision:
    """Split a run of several messages; retry a single one until it is rejected or out of attempts."""
    if failure.messages > 1:
        return Decision(Next.SPLIT)
    if isinstance(failure.error, Reject):
        return Decision(Next.DEAD_LETTER, charges=1, cause=Cause.REJECTED, reason=reason(failure.error))
    if failure.attempts >= max_attempts:
        return Decision(Next.DEAD_LETTER, charges=1, reason=reason(failure.error))
    return Decision(Next.RETRY, charges=1)


def reason(error: BaseException) -> str:
    """Describe an error for operators in one line, cut to `REASON_LENGTH`.

    Our own errors are worded for operators.  The text of any other may quote its input, a row or a secret, so
    only its class and the line that raised it are returned.
    """
    if not type(error).__module__.startswith(OURS) and not isinstance(error, TimeoutError):
        return _with_place(error)
    line = " ".join(str(error).split()) or f"an unexpected {type(error).__name__}"
    return line if len(line) <= REASON_LENGTH else line[: REASON_LENGTH - 1] + "…"


def _with_place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    name = f"an unexpected {type(error).__name__}"
    return f"{name} at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else name
