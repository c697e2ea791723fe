"""Stretches scraped phases over compressed hours, in the notation that promtool reads.

Counters go on at the rate between the first and the last scrape of their phase.  A time goes on with the
clock if it moved between them, and stands still if it did not.  Other gauges repeat what was scraped.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.deploy.alerts.scrapes import UP, Phase, Sample, Scrape, Series

MINUTE = 60.0
DAY = 24 * 60
"""Minutes."""
JITTER = 0.5
"""Seconds: times of the monotonic clock are translated anew for each scrape, and differ by microseconds."""
TIMES = ("_timestamp_seconds", "process_start_time_seconds")
"""Ends of the names of gauges that hold a Unix time; 0 means that there is none."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The moments of the samples, in minutes of promtool's time."""

    before: int = 0
    """Minutes before the first phase: promtool's time begins at 0, before every time that was scraped."""
    step: int = 1
    """Minutes between two samples; the lengths of phases are multiples of it."""

    @classmethod
    def of(cls, phases: Sequence[Phase]) -> "Grid":
        """Steps of a minute, or of five if a time is days ago: promtool evaluates every rule at each step."""
        ages = [
            each.time - sample.value
            for phase in phases
            for each in phase.scrapes
            for (name, _), sample in each.samples.items()
            if name.endswith(TIMES) and sample.value
        ]
        before = int(max(ages, default=0) // MINUTE) + 1
        step = 1 if before < DAY else 5
        return cls(before + -before % step, step)


def stretched(phases: Sequence[Phase], names: Iterable[str], grid: Grid) -> dict[Series, str]:
    """The notation of each series with one of these names."""
    wanted = set(names)
    found = {
        series: sample.kind
        for phase in phases
        for each in phase.scrapes
        for series, sample in each.samples.items()
        if series[0] in wanted
    }
    return {series: " ".join(_notation(series, kind, phases, grid)) for series, kind in sorted(found.items())}


def _notation(series: Series, kind: str, phases: Sequence[Phase], grid: Grid) -> Iterator[str]:
    line = _line(series, kind)
    minute = grid.before
    if count := grid.before // grid.step:
        yield _run(1, 0, count) if series == UP else f"_x{count}"
    for phase in phases:
        scraped = [(each, each.samples[series]) for each in phase.scrapes if series in each.samples]
        count = phase.minutes // grid.step
        if scraped:
            yield from line.part(minute * MINUTE, scraped, count, grid.step * MINUTE)
        else:
            # As when a scrape fails: Prometheus marks the series as stale.
            yield from ("stale", *([f"_x{count - 1}"] if count > 1 else []))
        minute += phase.minutes


Scraped = Sequence[tuple[Scrape, Sample]]


class _Gauge:
    def part(self, _: float, scraped: Scraped, count: int, __: float) -> Iterator[str]:
        values = [sample.value for _, sample in scraped]
        if len(set(values)) == 1:
            yield _run(values[0], 0, count)
        else:
            yield from (f"{values[at % len(values)]!r}" for at in range(count))


class _Counter:
    """Its steps between two phases are kept, and a smaller value than before is a reset."""

    def __init__(self) -> None:
        self._reached, self._read = 0.0, 0.0

    def part(self, _: float, scraped: Scraped, count: int, seconds: float) -> Iterator[str]:
        (first, begin), (last, end) = scraped[0], scraped[-1]
        jump = begin.value - self._read
        self._reached = self._reached + jump if jump >= 0 else begin.value
        rate = (end.value - begin.value) / (last.time - first.time) if last is not first else 0.0
        yield _run(self._reached, rate * seconds, count)
        self._reached += rate * seconds * (count - 1)
        self._read = end.value


class _Time:
    """One that stands still keeps its value from phase to phase."""

    def __init__(self) -> None:
        self._known: dict[float, float] = {0.0: 0.0}

    def part(self, start: float, scraped: Scraped, count: int, seconds: float) -> Iterator[str]:
        (first, begin), (last, end) = scraped[0], scraped[-1]
        if begin.value and end.value and abs(begin.value - end.value) > JITTER:
            yield _run(start - (last.time - end.value), seconds, count)
        else:
            when = start - ((first.time if begin.value else last.time) - end.value)
            known = (then for value, then in self._known.items() if abs(value - end.value) <= JITTER)
            self._known[end.value] = next(known, when)
            yield _run(self._known[end.value], 0, count)


def _line(series: Series, kind: str) -> _Gauge | _Counter | _Time:
    if series[0].endswith(TIMES):
        return _Time()
    return _Gauge() if kind == "gauge" else _Counter()


def _run(value: float, step: float, count: int) -> str:
    """`count` samples, each larger than the one before by `step`."""
    sign = "-" if step < 0 else "+"
    return f"{value:.6f}{sign}{abs(step):.6f}x{count - 1}"


def selector(series: Series) -> str:
    """A series as Prometheus writes it."""
    name, labels = series
    pairs: Mapping[str, str] = dict(labels)
    return name + "{" + ", ".join(f'{label}="{value}"' for label, value in pairs.items()) + "}"
