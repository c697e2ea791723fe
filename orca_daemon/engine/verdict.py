"""What a failure means for the messages of a run, as a function of values."""

import traceback
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from orca_daemon.engine.errors import Reject

REASON_LENGTH = 500
OURS = __name__.partition(".")[0] + "."


class Next(Enum):
    """What to do with a run whose attempt failed."""

    SPLIT = "split"
    """Repeat it in smaller runs: which message is at fault is not known yet."""
    RETRY = "retry"
    """Repeat it after a pause."""
    DEAD_LETTER = "dead_letter"
    """Dead-letter its one message."""
    WAIT = "wait"
    """Repeat it later, and charge nobody: it may be the dependency."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed attempt: its error, the size of its run, its message's attempts with this one."""

    error: BaseException
    messages: int
    attempts: int


def after(failure: Failure, max_attempts: int) -> Next:
    """A run of several is taken apart; a message alone is retried until it is rejected or used up."""
    if failure.messages > 1:
        return Next.SPLIT
    if isinstance(failure.error, Reject) or failure.attempts >= max_attempts:
        return Next.DEAD_LETTER
    return Next.RETRY


def reason(error: BaseException) -> str:
    """One line of an error for operators, cut.

    Our own errors are worded for them.  The text of any other may quote what it choked on, a row or a
    secret, so of those only the class and the place are told.
    """
    if not type(error).__module__.startswith(OURS) and not isinstance(error, TimeoutError):
        return _with_place(error)
    line = " ".join(str(error).split()) or type(error).__name__
    return line if len(line) <= REASON_LENGTH else line[: REASON_LENGTH - 1] + "…"


def _with_place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    name = type(error).__name__
    return f"{name} at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else name
