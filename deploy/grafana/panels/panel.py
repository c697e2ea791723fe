"""One panel: what it shows, what to do, and when it is red; and the queries that many panels share.

Of what every replica reports alike (depths of queues, counts in the database) a panel takes the maximum
or the minimum; of what each replica has for itself it takes the sum, or shows each.  A panel has one unit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

I = '{instance=~"$instance"}'  # noqa: E741  short, because it stands in every query
Q = '{instance=~"$instance", queue=~"$queue"}'
EVERY = "[$__rate_interval]"


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel; `queries` maps each expression to its legend."""

    title: str
    shows: str
    do: str
    """What to do if it is red; if it has no limit, when to look at it."""
    queries: Mapping[str, str]
    unit: str = "short"
    runbook: str = "alerts"
    """A heading of docs/operate.md, or a heading of another page there: `tuning.md#scaling`."""
    red: float | None = None
    red_below: bool = False
    kind: Literal["timeseries", "stat", "table"] = "timeseries"
    width: int = 8
    height: int = 8


def rate(metric: str, by: str, labels: str = Q) -> str:
    """The rate of a counter over all replicas."""
    return f"sum by ({by}) (rate(orca_daemon_{metric}{labels}{EVERY}))"


def quantile(part: float, metric: str, by: str, labels: str = Q) -> str:
    """A quantile of a histogram over all replicas: buckets may be added, quantiles may not."""
    return f"histogram_quantile({part}, {rate(metric + '_bucket', f'{by}, le', labels)})"
