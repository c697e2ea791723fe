"""Writes the metrics of one minute as documents of the Embedded Metric Format.

Format: "Specification: Embedded metric format" in the user guide of CloudWatch.  There is one document for
the process, one for each queue and one for each bucket.  The dimensions are bounded: the deployment, alone
and with the queue or bucket.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from orca_daemon.ops.emf.measures import MEASURES, Measure, Of
from orca_daemon.ops.emf.samples import History

DEPLOYMENT = "Deployment"
EVENT = "metrics"
"""The `event` of these lines, as every line of the log has one."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Under which names the metrics appear in CloudWatch."""

    namespace: str
    deployment: str


def lines(history: History, identity: Identity) -> list[str]:
    """The documents of the newest minute, without newlines."""
    documents = (_document(history, identity, of, name) for of in Of for name in _names(of, history))
    return [json.dumps(each, separators=(",", ":")) for each in documents]


def _names(of: Of, history: History) -> Iterator[str]:
    if of is Of.PROCESS:
        yield ""
    else:
        yield from history.now.names(of.lower())


def _document(history: History, identity: Identity, of: Of, name: str) -> dict[str, Any]:
    measures = [measure for measure in MEASURES if measure.of is of]
    dimensions = [[DEPLOYMENT], [DEPLOYMENT, of.value]] if of else [[DEPLOYMENT]]
    return {
        "event": EVENT,
        "_aws": {
            "Timestamp": int(history.now.wall * 1000),
            "CloudWatchMetrics": [_directive(identity.namespace, dimensions, measures)],
        },
        DEPLOYMENT: identity.deployment,
        **({of.value: name} if of else {}),
        **{measure.name: _number(measure.read(history, name)) for measure in measures},
    }


def _directive(namespace: str, dimensions: list[list[str]], measures: Sequence[Measure]) -> dict[str, Any]:
    return {
        "Namespace": namespace,
        "Dimensions": dimensions,
        "Metrics": [{"Name": measure.name, "Unit": measure.unit.value} for measure in measures],
    }


def _number(value: float) -> float:
    """The value with milliseconds, and without a point if it is whole."""
    return int(value) if value == int(value) else round(value, 3)
