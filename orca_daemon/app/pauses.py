"""Pauses queues of the engine for the settings and for the database; a signal pauses all, in the engine."""

from collections.abc import Collection, Mapping
from typing import Any

import structlog

from orca_daemon.db.control import Pause
from orca_daemon.engine.engine import Engine

_log: Any = structlog.get_logger()


class Pauses:
    """Which queues are paused, and why.  A queue is paused as long as there is one cause."""

    def __init__(self, engine: Engine, by_settings: Collection[str]) -> None:
        self._engine = engine
        self._by_settings: frozenset[str] = frozenset()
        self._by_database: dict[str, Pause] = {}
        self.settings_say(by_settings)

    def causes(self, queue: str) -> list[str]:
        """The causes that pause this queue now: `settings`, `database`, `signal`."""
        causes = {
            "settings": queue in self._by_settings,
            "database": queue in self._by_database,
            "signal": self._engine.paused,
        }
        return [name for name, holds in causes.items() if holds]

    def since(self, queue: str) -> float | None:
        """When the database says that the queue was paused, as Unix time; None if it does not say so."""
        pause = self._by_database.get(queue)
        return pause.since.timestamp() if pause else None

    def settings_say(self, queues: Collection[str]) -> None:
        """The settings pause these queues, and no others."""
        before, self._by_settings = self._by_settings, frozenset(queues)
        for queue in self._changed(before, self._by_settings):
            self._apply(queue, cause="settings", paused=queue in self._by_settings)

    def database_says(self, pauses: Mapping[str, Pause]) -> None:
        """The database pauses these queues, and no others."""
        before, self._by_database = self._by_database, dict(pauses)
        for queue in self._changed(before, self._by_database):
            pause = pauses.get(queue)
            about = {"who": pause.who, "why": pause.why, "since": pause.since.isoformat()} if pause else {}
            self._apply(queue, cause="database", paused=pause is not None, **about)

    def _changed(self, before: Collection[str], after: Collection[str]) -> list[str]:
        ours = (consumer.name for consumer in self._engine.consumers)
        return [queue for queue in ours if (queue in before) != (queue in after)]

    def _apply(self, queue: str, *, cause: str, paused: bool, **about: str) -> None:
        left = [each for each in self.causes(queue) if each != "signal"]
        self._engine.set_paused(paused=bool(left), queue=queue)
        if paused:
            _log.warning("intake.paused", queue=queue, cause=cause, **about)
        else:
            _log.warning("intake.resumed", queue=queue, cause=cause, still_paused_by=self.causes(queue))
