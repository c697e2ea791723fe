"""Tells systemd that the process is alive, as long as it is, and what it is doing, once a minute."""

import asyncio
from collections.abc import Callable, Sequence

from orca_daemon.engine.state import EngineState
from orca_daemon.ops.health import Check, holds
from orca_daemon.ops.systemd import Notifier

STATUS_SECONDS = 60.0


async def watch(
    notifier: Notifier, live: Callable[[], Sequence[Check]], state: Callable[[], EngineState]
) -> None:
    """Notify for ever; a supervised task.  It goes on through a drain."""
    if not notifier.listened:
        await asyncio.Event().wait()
    now = asyncio.get_running_loop().time
    # Half the time that systemd grants, as sd_watchdog_enabled(3) advises.
    interval = min(STATUS_SECONDS, (notifier.watchdog_seconds or 2 * STATUS_SECONDS) / 2)
    last_status = -STATUS_SECONDS
    while True:
        if notifier.watchdog_seconds and holds(live()):
            notifier.alive()
        if now() - last_status >= STATUS_SECONDS:
            last_status = now()
            notifier.status(summary(state()))
        await asyncio.sleep(interval)


def summary(state: EngineState) -> str:
    """What the engine is doing, in one line."""
    held = sum(queue.held for queue in state.queues)
    doing = "draining" if state.draining else "paused" if state.paused else "working"
    down = sorted(name for name, since in state.breakers.items() if since is not None)
    line = f"{doing if state.started else 'starting'}: {len(state.queues)} queues, {held} messages in flight"
    return f"{line}; down: {', '.join(down)}" if down else line
