"""Queues that are paused and that a recovery needs, and what waits because of that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from orca_daemon.db import control
from orca_daemon.db.control import Pause
from orca_daemon.settings import Settings

_MEANS: Mapping[str, str] = {
    "recovery": "Nothing is copied until it is resumed: files stay as they are, restored or not.",
    "restore": "S3 is asked for no restore until it is resumed.",
    "status_update": "States of files are not recorded until it is resumed: those below may be older.",
}
"""By the route of the queue."""


@dataclass(frozen=True, slots=True)
class Hindrance:
    """A paused queue."""

    pause: Pause
    means: str


def hindrances(connection: Connection, settings: Settings) -> Sequence[Hindrance]:
    """Those of the database; what a daemon's own settings or a signal pauses is on the page `/`."""
    if not control.installed(connection):
        return ()
    routes = {name: queue.route or name for name, queue in settings.bound.items()}
    paused = control.paused(connection)
    return [
        Hindrance(pause, _MEANS[route])
        for name, pause in sorted(paused.items())
        if (route := routes.get(name, name)) in _MEANS
    ]
