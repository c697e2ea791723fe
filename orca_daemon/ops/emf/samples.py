"""What the registry of metrics says at one moment, and how it grew since earlier moments."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from typing import TypeAlias

from prometheus_client import CollectorRegistry

from orca_daemon.ops.metrics.labels import PREFIX

Series: TypeAlias = Sequence[tuple[Mapping[str, str], float]]
"""The samples of one name, each with its labels."""


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of one moment, by name (without our prefix)."""

    wall: float
    """Unix time."""
    series: Mapping[str, Series] = field(default_factory=dict)

    @classmethod
    def of(cls, registry: CollectorRegistry, names: Collection[str], wall: float) -> "Samples":
        """Read the samples with these names."""
        found: dict[str, list[tuple[Mapping[str, str], float]]] = {name: [] for name in names}
        # Most series are histograms that nobody asks for here, and collecting them takes most of the time.
        restricted = registry.restricted_registry([f"{PREFIX}_{name}" for name in names])
        for family in restricted.collect():
            for sample in family.samples:
                name = sample.name.removeprefix(f"{PREFIX}_")
                if name in found:
                    found[name].append((sample.labels, sample.value))
        return cls(wall, found)

    def values(self, name: str, **labels: str) -> list[float]:
        """The values of all samples with this name and these labels."""
        wanted = labels.items()
        return [value for found, value in self.series.get(name, ()) if wanted <= found.items()]

    def total(self, name: str, **labels: str) -> float:
        """Their sum; 0 without any."""
        return sum(self.values(name, **labels))

    def names(self, label: str) -> list[str]:
        """All values of a label."""
        return sorted({found[label] for each in self.series.values() for found, _ in each if label in found})


@dataclass(frozen=True, slots=True)
class History:
    """The samples of the last minutes of a process, one a minute, the newest last."""

    minutes: tuple[Samples, ...]

    @property
    def now(self) -> Samples:
        """The newest samples."""
        return self.minutes[-1]

    @property
    def first(self) -> bool:
        """Whether these are the first samples of the process."""
        return len(self.minutes) == 1

    def grown(self, name: str, minutes: int = 1, **labels: str) -> float:
        """By how much counters grew within the last minutes; a process begins with all of them at 0."""
        return self.now.total(name, **labels) - self._before(minutes).total(name, **labels)

    def quantile(self, share: float, name: str, minutes: int) -> float:
        """A quantile of what a histogram observed within the last minutes; 0 if it observed nothing.

        As `histogram_quantile` of Prometheus does it: linear within a bucket, and the largest finite bound if
        the quantile lies above it.
        """
        counts = [
            (bound, self.grown(f"{name}_bucket", minutes, le=label))
            for bound, label in sorted((float(le), le) for le in self.now.names("le"))
            if self.now.values(f"{name}_bucket", le=label)
        ]
        rank = share * (counts[-1][1] if counts else 0.0)
        if not rank:
            return 0.0
        for (low, below), (high, count) in pairwise([(0.0, 0.0), *counts]):
            if count >= rank:
                return low if high == inf else low + (high - low) * (rank - below) / (count - below)
        return 0.0

    def _before(self, minutes: int) -> Samples:
        at = len(self.minutes) - 1 - minutes
        return self.minutes[at] if at >= 0 else Samples(0.0)
