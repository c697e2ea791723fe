"""Evaluates the alarms of CloudWatch on the same stretched phases of a real daemon as the alerts.

CloudWatch's rules: an alarm rises if its statistic breaches the threshold in each of the last periods; a
period without a datum counts as the alarm says (user guide, "Using Amazon CloudWatch alarms").  The values
are those that the daemon writes: the same functions read the stretched samples.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from orca_daemon.ops.emf.measures import MEASURES, NEEDED, WINDOW, Of
from orca_daemon.ops.emf.samples import History, Samples
from orca_daemon.ops.metrics.labels import PREFIX
from tests.deploy.alerts.scrapes import Phase
from tests.deploy.alerts.stretch import Grid, stretched

ALARMS = Path(__file__).parents[3] / "deploy/cloudwatch/alarms.json"
OWN = "deployment"
"""What an alarm on the daemon's own metrics is about."""
STARTED = "process_start_time_seconds"
Data: TypeAlias = Mapping[str, Sequence[float]]
"""The values of one minute, by metric."""
STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "Maximum": max,
    "Minimum": min,
    "Sum": sum,
    "SampleCount": len,
}


def alarms() -> list[dict[str, Any]]:
    """All alarms."""
    found: list[dict[str, Any]] = json.loads(ALARMS.read_text("utf-8"))
    return found


def judge(phases: Sequence[Phase]) -> None:
    """Fail unless exactly the alarms that each phase names are raised at its end, and no others during it.

    Prometheus' `for: 5m` needs six samples, a minute apart, and five periods of a minute need five.  So what
    a phase does not name may be raised by its last minute, but not if one more period were needed.
    """
    minutes = list(_minutes(phases))
    end, before = 0, frozenset[str]()
    for phase in phases:
        begin, end = end, end + phase.minutes
        expected, allowed = _own(phase.firing), _own(phase.firing | phase.meanwhile) | before
        assert expected <= raised(minutes[:end]), f"minute {end}: {minutes[end - 1]}"
        assert raised(minutes[:end], more=1) <= expected, f"minute {end}: {minutes[end - 1]}"
        for now in range(begin + 1, end):
            assert raised(minutes[:now], more=1) <= allowed, f"minute {now}: {minutes[now - 1]}"
        before = expected


def raised(minutes: Sequence[Data], more: int = 0) -> set[str]:
    """The alarms that are raised after these minutes; `more` periods are needed of those of a minute."""
    return {alarm["alert"] for alarm in alarms() if alarm["of"] == OWN and _breaches(alarm, minutes, more)}


def _own(firing: frozenset[str]) -> frozenset[str]:
    """The names of the alerts of which the alarm is on the daemon's own metrics."""
    own = {alarm["alert"] for alarm in alarms() if alarm["of"] == OWN}
    names = own & {alert.split()[0] for alert in firing}
    # Prometheus tells a daemon that does not answer from one that is not there; CloudWatch cannot.
    gone = {"OrcaDaemonDown", "OrcaDaemonAbsent"}
    return frozenset(names | gone if names & gone else names)


def _breaches(alarm: Mapping[str, Any], minutes: Sequence[Data], more: int) -> bool:
    length = alarm["period"] // 60
    count = alarm["periods"] + (more if length == 1 else 0)
    # A period from before the first minute has no datum.
    padded = [*[{}] * max(0, length * count - len(minutes)), *minutes][-length * count :]
    periods = [padded[at : at + length] for at in range(0, length * count, length)]
    return all(
        _breached(alarm, [value for each in part for value in each.get(alarm["metric"], ())])
        for part in periods
    )


def _breached(alarm: Mapping[str, Any], values: Sequence[float]) -> bool:
    if not values:
        return bool(alarm["missing"] == "breaching")
    value = STATISTICS[alarm["statistic"]](values)
    if alarm["comparison"] == "LessThanThreshold":
        return bool(value < alarm["threshold"])
    return bool(value > alarm["threshold"])


def _minutes(phases: Sequence[Phase]) -> Iterator[Data]:
    """The values that the daemon writes in each minute of the phases; none while it does not run."""
    grid = Grid(Grid.of(phases).before, 1)
    names = {*(f"{PREFIX}_{name}" for name in NEEDED), STARTED}
    rows = {series: _expanded(text) for series, text in stretched(phases, names, grid).items()}
    lives: list[Samples] = []
    life: float | None = None
    for minute in range(grid.before, grid.before + sum(phase.minutes for phase in phases)):
        series: dict[str, list[tuple[Mapping[str, str], float]]] = {name: [] for name in NEEDED}
        begun = None
        for (name, labels), values in rows.items():
            value = values[minute] if minute < len(values) else None
            if value is None:
                continue
            if name == STARTED:
                begun = value
            else:
                series[name.removeprefix(f"{PREFIX}_")].append((dict(labels), value))
        if begun is None:
            yield {}
            continue
        # The first life is taken as one that began before the phases did.
        if life is not None and abs(begun - life) > 1:
            lives.clear()
        started = life is not None and not lives
        life = begun
        lives = [*lives, Samples(minute * 60.0, series)][-WINDOW - 1 :]
        yield {**_values(History(tuple(lives))), "Starts": [float(started)]}


def _values(history: History) -> Data:
    names = {
        Of.PROCESS: [""],
        Of.QUEUE: history.now.names("queue"),
        Of.BUCKET: history.now.names("bucket"),
    }
    return {measure.name: [measure.read(history, name) for name in names[measure.of]] for measure in MEASURES}


def _expanded(text: str) -> list[float | None]:
    """The samples of a series in promtool's notation."""
    found: list[float | None] = []
    for part in text.split():
        if part == "stale":
            found.append(None)
        elif part.startswith("_x"):
            found += [None] * int(part[2:])
        elif run := re.fullmatch(r"(-?[\d.]+)([+-][\d.]+)x(\d+)", part):
            first, step, count = float(run[1]), float(run[2]), int(run[3])
            found += [first + step * at for at in range(count + 1)]
        else:
            found.append(float(part))
    return found
