"""What the daemon costs while nothing happens: processor time of empty queues, memory over an hour of polls.

The hour is compressed: its polls are made with waits of one second instead of ten.
"""

import os
import resource
import time
from collections.abc import Mapping
from pathlib import Path

from bench.report import Report, Target
from bench.size import Size
from orca_daemon.local.daemon import Daemon
from orca_daemon.local.ports import free_port
from orca_daemon.local.stack import Stack

TICKS = 100
"""Clock ticks a second in /proc (sysconf SC_CLK_TCK, 100 on every Linux that we know)."""
WAIT = 10.0
SETTLED = 5.0
"""Seconds after the start that are not counted: imports and first connections."""


def measure(size: Size) -> Report:
    """The share of a core at the default settings, and the growth over the compressed hour."""
    calm, hurried = size.pick((120.0, 360.0), (12.0, 12.0), (1.0, 1.0))
    settled, wait = size.pick(SETTLED, SETTLED, 0.2), size.pick(WAIT, WAIT, 2.0)
    stack = Stack()
    try:
        environment = stack.start().environment
        busy, growth = _watch(environment, "1", settled, hurried)
        share, _ = _watch(environment, f"{wait:.0f}", settled, calm)
    finally:
        stack.stop()
    figures = {
        "seconds watched at the default settings": calm,
        "processor with polls ten times as often, %": busy * 100,
        "minutes of polls in the compressed part": hurried * WAIT / 60,
    }
    targets = [
        Target(name="processor, share of a core, %", measured=share * 100, at_most=0.5),
        Target(name="memory grown over the compressed part, MiB", measured=growth, at_most=2.0),
    ]
    return Report(name="idle", figures=figures, targets=targets)


def _watch(environment: Mapping[str, str], wait: str, settled: float, seconds: float) -> tuple[float, float]:
    """A daemon's share of a core, and MiB by which it grew."""
    url = f"http://127.0.0.1:{free_port()}"
    changed = {"ORCA_HTTP__PORT": url.rpartition(":")[2], "ORCA_ENGINE__WAIT": wait}
    daemon = Daemon({**environment, **changed}, url, Path(os.devnull))
    daemon.start()
    try:
        time.sleep(settled)
        pid = daemon.pid or 0
        used, memory, began = _processor(pid), _resident(pid), time.monotonic()
        time.sleep(seconds)
        share = (_processor(pid) - used) / (time.monotonic() - began)
        return share, _resident(pid) - memory
    finally:
        daemon.stop()


def _processor(pid: int) -> float:
    """Seconds of processor time, by proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _resident(pid: int) -> float:
    """MiB of memory, by proc(5)."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * resource.getpagesize() / 2**20
