"""Notifies systemd (sd_notify(3)): ready, reloading, stopping, alive.  Does nothing without a notify
socket.
"""

import os
import socket
import time
from collections.abc import Mapping


class Notifier:
    """Sends datagrams to the service manager; its absence or its trouble is none of the daemon's."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the zero byte of an abstract socket (unix(7)).
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_seconds = _watchdog(environ)
        """How often systemd expects `alive`; None if it does not."""

    @property
    def listened(self) -> bool:
        """Whether somebody listens."""
        return bool(self._address)

    def ready(self) -> bool:
        """The start, or a reload, is complete."""
        return self.send("READY=1")

    def reloading(self) -> bool:
        """Settings are being read again; `ready` is to follow."""
        # systemd compares this with its own clock (Type=notify-reload).
        usec = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        return self.send("RELOADING=1", f"MONOTONIC_USEC={usec}")

    def stopping(self) -> bool:
        """The drain has begun."""
        return self.send("STOPPING=1")

    def alive(self) -> bool:
        """Feed the watchdog."""
        return self.send("WATCHDOG=1")

    def status(self, text: str) -> bool:
        """One line for `systemctl status`."""
        return self.send(f"STATUS={' '.join(text.split())}")

    def send(self, *assignments: str) -> bool:
        """Whether the datagram was taken."""
        if not self._address:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto("\n".join(assignments).encode(), self._address)
        except OSError:
            return False
        return True


def _watchdog(environ: Mapping[str, str]) -> float | None:
    pid, usec = environ.get("WATCHDOG_PID", ""), environ.get("WATCHDOG_USEC", "")
    # The variables are inherited; they are meant for one process only (sd_watchdog_enabled(3)).
    if not usec.isdigit() or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / 1e6 or None
