"""Cost of an idle daemon: CPU time with empty queues, memory, and its growth over an hour of polls.

The hour is compressed: its polls wait for one second instead of ten.
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
"""Clock ticks per second in /proc (sysconf SC_CLK_TCK, 100 on all common Linux platforms)."""
WAIT = 10.0
WARM_UP = 5.0
"""Seconds after the start that are not measured, because of first connections and late imports."""


def measure(size: Size) -> Report:
    """The share of a core with the default settings, and the memory growth over the compressed hour."""
    normal, compressed = size.pick((120.0, 360.0), (12.0, 12.0), (1.0, 1.0))
    warm_up, wait = size.pick(WARM_UP, WARM_UP, 0.2), size.pick(WAIT, WAIT, 2.0)
    stack = Stack()
    try:
        environment = stack.start().environment
        compressed_share, _, growth = _measure_daemon(environment, "1", warm_up, compressed)
        share, resident, _ = _measure_daemon(environment, f"{wait:.0f}", warm_up, normal)
    finally:
        stack.stop()
    figures = {
        "seconds measured with the default settings": normal,
        "share of a core with ten times as many polls, %": compressed_share * 100,
        "minutes of polls in the compressed part": compressed * WAIT / 60,
    }
    targets = [
        Target(name="share of a core, %", measured=share * 100, at_most=0.5),
        Target(name="memory grown over the compressed part, MiB", measured=growth, at_most=2.0),
        Target(name="resident with empty queues, MiB", measured=resident, at_most=110.0),
    ]
    return Report(name="idle", figures=figures, targets=targets)


def _measure_daemon(
    environment: Mapping[str, str], wait: str, warm_up: float, seconds: float
) -> tuple[float, float, float]:
    """A daemon's share of a core, its memory in MiB at the end, and the MiB by which its memory grew."""
    url = f"http://127.0.0.1:{free_port()}"
    changed = {"ORCA_HTTP__PORT": url.rpartition(":")[2], "ORCA_ENGINE__WAIT": wait}
    daemon = Daemon({**environment, **changed}, url, Path(os.devnull))
    daemon.start()
    try:
        time.sleep(warm_up)
        pid = daemon.pid or 0
        cpu_before, memory_before, began = _cpu_seconds(pid), _resident_mib(pid), time.monotonic()
        time.sleep(seconds)
        share = (_cpu_seconds(pid) - cpu_before) / (time.monotonic() - began)
        memory = _resident_mib(pid)
        return share, memory, memory - memory_before
    finally:
        daemon.stop()


def _cpu_seconds(pid: int) -> float:
    """CPU time of a process, user and system (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _resident_mib(pid: int) -> float:
    """Resident memory of a process (proc(5))."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * resource.getpagesize() / 2**20
