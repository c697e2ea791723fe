"""Reports of success at a place during an attempt: a place is judged by them, and by errors that name it."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeAlias

Succeeded: TypeAlias = Callable[[str, str], None]
"""Takes the name of a dependency and a place of it."""

_listener: ContextVar[Succeeded | None] = ContextVar("orca_daemon_succeeded", default=None)


def succeeded(dependency: str, place: str) -> None:
    """Report that an operation of the attempt under way succeeded at this place.  Without one, do nothing.

    Called by the code that talks to the dependency, in the task of the attempt or in one that it started.
    """
    if (listener := _listener.get()) is not None:
        listener(dependency, place)


def listen(listener: Succeeded) -> None:
    """Call `listener` with the reports of this task, and of those that it starts, from now on."""
    _listener.set(listener)
