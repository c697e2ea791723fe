"""Processor time of this process, its children and the embedded servers (Linux)."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Processor:
    """Seconds of processor time."""

    everything: float
    """This process and all its descendants, also those that have ended."""
    server: float
    """Of that, Postgres."""
    here: float
    """Of that, this process."""

    def __sub__(self, before: "Processor") -> "Processor":
        return Processor(
            self.everything - before.everything, self.server - before.server, self.here - before.here
        )


def processor(server: int) -> Processor:
    """The time until now; `server` is the process id of Postgres."""
    times: dict[int, float] = {}
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        number = int(path.name)
        times[number] = sum(map(int, fields[11:15])) / _TICK
        children.setdefault(int(fields[1]), []).append(number)

    def of(number: int) -> float:
        return times.get(number, 0.0) + sum(of(child) for child in children.get(number, ()))

    own = os.times()
    return Processor(of(os.getpid()), of(server), own.user + own.system)
