"""Creates every series at the start, so that rates and alerts on absence also work for an idle queue."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import product
from typing import TypeVar

from prometheus_client.metrics import MetricWrapperBase

PREFIX = "orca_daemon"
M = TypeVar("M", bound=MetricWrapperBase)

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
"""Buckets for work: a status update takes milliseconds, a copy of terabytes hours."""


def filled(metric: M, *values: Iterable[str]) -> M:
    """Create the series of all combinations of label values; `values` in the order of the labels."""
    for combination in product(*(tuple(each) for each in values)):
        metric.labels(*combination)
    return metric


def series_of(metric: M) -> Callable[..., M]:
    """Return `metric.labels` with a memory, because the library's checks cost more than counting.

    Labels are bounded, so the memory is.
    """
    return lru_cache(maxsize=None)(metric.labels)
