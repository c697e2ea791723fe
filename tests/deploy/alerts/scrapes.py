"""What Prometheus reads of a daemon at one moment, and a phase: one state of it, scraped several times."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import TypeAlias
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

Series: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]
"""A name, and its labels in order."""
TARGET = {"instance": "a", "job": "orca-daemon"}
"""The labels that Prometheus adds."""
UP: Series = ("up", tuple(sorted(TARGET.items())))


@dataclass(frozen=True, slots=True)
class Sample:
    """A value, and the type of its metric: `counter`, `gauge`, `histogram`."""

    value: float
    kind: str


@dataclass(frozen=True, slots=True)
class Scrape:
    """All samples, and the Unix time at which they were read; none but `up` if the daemon did not answer."""

    time: float
    samples: Mapping[Series, Sample]

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples with this name, without its prefix, and these labels; 0 without any."""
        return sum(
            sample.value
            for (found, pairs), sample in self.samples.items()
            if found == f"orca_daemon_{name}" and labels.items() <= dict(pairs).items()
        )


@dataclass(frozen=True, slots=True)
class Phase:
    """A state of the daemon: what was scraped in it, and the minutes for which it is to last."""

    scrapes: tuple[Scrape, ...]
    minutes: int
    firing: frozenset[str]
    """The alerts that fire at its end, and no others, each with its queue if it is about one."""
    meanwhile: frozenset[str] = frozenset()
    """Alerts that may also have fired during it."""


def scrape(url: str) -> Scrape:
    """Read the metrics of a daemon as Prometheus does."""
    began = time.time()
    try:
        with urlopen(f"{url}/metrics", timeout=5) as answer:  # noqa: S310  our own address
            text = answer.read().decode()
    except (OSError, HTTPException):
        return Scrape(began, {UP: Sample(0, "gauge")})
    return Scrape(began, {UP: Sample(1, "gauge"), **dict(_samples(text))})


def _samples(text: str) -> Iterator[tuple[Series, Sample]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = tuple(sorted({**sample.labels, **TARGET}.items()))
            yield (sample.name, labels), Sample(sample.value, family.type)
