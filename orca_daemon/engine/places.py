"""Where the attempt under way succeeded: what a place is judged by, beside the errors that name it."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeAlias

Succeeded: TypeAlias = Callable[[str, str], None]
"""Takes the name of a dependency and a place of it."""

_listener: ContextVar[Succeeded | None] = ContextVar("orca_daemon_succeeded", default=None)


def succeeded(dependency: str, place: str) -> None:
    """Report that an operation of the attempt under way succeeded at this place; outside of one, do nothing.

    Called by what talks to the dependency, in the task of the attempt or in one that it started.
    """
    if (listener := _listener.get()) is not None:
        listener(dependency, place)


def listen(listener: Succeeded) -> None:
    """Have `listener` called for what this task, and those that it starts, report from now on."""
    _listener.set(listener)
