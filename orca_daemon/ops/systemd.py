"""Notifies systemd (sd_notify(3)): ready, reloading, stopping, alive, and a status line once a minute.

Does nothing without a notify socket.
"""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence

from orca_daemon.engine.state import EngineState
from orca_daemon.ops.health import Check, holds

STATUS_SECONDS = 60.0
START_SECONDS = 120.0
"""Time for one attempt of the start and the pause after it; the unit's TimeoutStartSec is the same."""


class Notifier:
    """Sends datagrams to the service manager; if it is absent or fails, the daemon goes on."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # A leading @ means an abstract socket, whose address begins with a zero byte (unix(7)).
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_seconds = _watchdog(environ)
        """How often systemd expects `alive`; None if it does not."""

    @property
    def enabled(self) -> bool:
        """Whether systemd asked for notifications."""
        return bool(self._address)

    def ready(self) -> bool:
        """The start, or a reload, is complete."""
        return self.send("READY=1")

    def starting(self, waiting: str) -> bool:
        """The start goes on and waits: systemd grants it more time and shows the text."""
        # Without it, systemd restarts a daemon whose database stays away for longer than TimeoutStartSec.
        return self.send(f"EXTEND_TIMEOUT_USEC={START_SECONDS * 1e6:.0f}", _status(waiting))

    def reloading(self) -> bool:
        """Settings are being read again; call `ready` afterwards."""
        # systemd compares this with its own clock (Type=notify-reload).
        usec = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        return self.send("RELOADING=1", f"MONOTONIC_USEC={usec}")

    def stopping(self) -> bool:
        """The drain has begun."""
        return self.send("STOPPING=1")

    def alive(self) -> bool:
        """Reset systemd's watchdog timer."""
        return self.send("WATCHDOG=1")

    def status(self, text: str) -> bool:
        """One line for `systemctl status`."""
        return self.send(_status(text))

    def send(self, *assignments: str) -> bool:
        """Send one datagram; returns whether the socket accepted it."""
        if not self._address:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto("\n".join(assignments).encode(), self._address)
        except OSError:
            return False
        return True


def _status(text: str) -> str:
    return f"STATUS={' '.join(text.split())}"


def _watchdog(environ: Mapping[str, str]) -> float | None:
    pid, usec = environ.get("WATCHDOG_PID", ""), environ.get("WATCHDOG_USEC", "")
    # Child processes inherit the variables, but only one process is meant (sd_watchdog_enabled(3)).
    if not usec.isdigit() or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / 1e6 or None


async def watch(
    notifier: Notifier, live: Callable[[], Sequence[Check]], state: Callable[[], EngineState]
) -> None:
    """Notify for ever, also during a drain; a supervised task.

    If liveness fails, `alive` is not sent: systemd restarts the process after its own timeout.
    """
    if not notifier.enabled:
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
    """The state of the engine as one line."""
    held = sum(queue.held for queue in state.queues)
    stopped = state.paused or (state.queues and all(queue.paused for queue in state.queues))
    doing = "draining" if state.draining else "paused" if stopped else "working"
    down = sorted(name for name, since in state.breakers.items() if since is not None)
    line = f"{doing if state.started else 'starting'}: {len(state.queues)} queues, {held} messages in flight"
    return f"{line}; down: {', '.join(down)}" if down else line
