"""What differs between the settings that a process runs with and those that were read again."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from orca_daemon.settings.sections import Settings


@dataclass(frozen=True, slots=True)
class Changes:
    """Names of settings that differ: `section.key`."""

    applied: list[str]
    """Those that take effect at run time: `log.level`, `queues.NAME.paused`."""
    need_restart: list[str]

    def applied_to(self, running: Settings, wanted: Settings) -> Settings:
        """The settings of the process, after those that can be applied were."""
        queues = {
            name: queue.model_copy(update={"paused": wanted.queues[name].paused})
            if f"queues.{name}.paused" in self.applied
            else queue
            for name, queue in running.queues.items()
        }
        log = running.log.model_copy(update={"level": wanted.log.level})
        return running.model_copy(update={"queues": queues, "log": log})


def compared(running: Settings, wanted: Settings) -> Changes:
    """Compare; values are not in the result, because they may be secrets."""
    names = sorted(_differences(running, wanted))
    pausable = {f"queues.{name}.paused" for name in running.queues.keys() & wanted.queues.keys()}
    applied = [name for name in names if name == "log.level" or name in pausable]
    return Changes(applied, [name for name in names if name not in applied])


def _differences(running: Any, wanted: Any, name: str = "") -> list[str]:
    if running == wanted:
        return []
    if isinstance(running, BaseModel) and type(running) is type(wanted):
        parts = [(key, getattr(running, key), getattr(wanted, key)) for key in type(running).model_fields]
    elif name == "queues":
        keys = sorted(running.keys() | wanted.keys())
        parts = [(key, running.get(key), wanted.get(key)) for key in keys]
    else:
        return [name]
    return [each for key, a, b in parts for each in _differences(a, b, f"{name}.{key}" if name else key)]
