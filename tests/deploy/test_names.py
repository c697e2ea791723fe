"""Alerts and dashboard query only metrics that the daemon exports, by labels that these have."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from orca_daemon.engine.source import QueueFacts
from orca_daemon.ops.metrics import Metrics
from orca_daemon.ops.metrics.exports import ExportOutcome

DEPLOY = Path(__file__).parents[2] / "deploy"
DOCS = Path(__file__).parents[2] / "docs"
_SELECTOR = re.compile(r"\b((?:orca_daemon|process)_\w+)\s*(?:\{([^}]*)\})?")
_GROUPING = re.compile(r"\b(?:by|on) \(([^)]*)\)")


@cache
def exported() -> dict[str, set[str]]:
    """Each series' name and the names of its labels."""
    metrics = Metrics({"recovery": "recovery"}, operations=["s3:CopyObject"])
    metrics.queues.configured("recovery", QueueFacts(fifo=False, visibility=1.0))
    metrics.reconcile.show("archive", 0.0, {"phantom": 0, "orphan": 0, "mismatch": 0})
    metrics.exports.ended("files", ExportOutcome.WRITTEN, rows=0, size=0, seconds=0.0)
    metrics.reconcile.compared("archive", listed=0, catalogued=0, seconds=1.0, peak_mib=0)
    text = metrics.exposition().decode()
    labels: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    return labels


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((DEPLOY / "grafana/orca-daemon.json").read_text("utf-8"))
    return loaded


def queries() -> list[str]:
    rows = dashboard()["panels"]
    drawn = [*rows, *(panel for row in rows for panel in row.get("panels", []))]
    panels = [target["expr"] for panel in drawn for target in panel.get("targets", [])]
    variables = [each["query"] for each in dashboard()["templating"]["list"] if each["type"] == "query"]
    annotations = [each["expr"] for each in dashboard()["annotations"]["list"]]
    return [*panels, *variables, *annotations, *(rule["expr"] for rule in alerts())]


@pytest.mark.parametrize("query", queries())
def test_a_query_asks_for_what_is_exported(query: str) -> None:
    known = exported()
    selected = _SELECTOR.findall(query)

    assert selected or re.search(r"\b(up|ALERTS)\{", query)
    for name, selectors in selected:
        assert name in known
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", selectors))
        assert labels <= known[name] | {"instance", "job"}
    groupings = {label.strip() for each in _GROUPING.findall(query) for label in each.split(",")}
    assert groupings <= set().union(*(known[name] for name, _ in selected)) | {"instance", "le", "alertname"}


def test_every_metric_is_explained() -> None:
    text = (DOCS / "operate.md").read_text("utf-8")
    metrics = Metrics({"recovery": "recovery"})
    families = {family.name for family in text_string_to_metric_families(metrics.exposition().decode())}
    ours = {name for name in families if name.startswith("orca_daemon_")}

    assert sorted(name for name in ours if name not in text) == []


def test_every_metric_is_drawn() -> None:
    text = json.dumps(dashboard())
    metrics = Metrics({"recovery": "recovery"})
    names = {family.name for family in metrics.registry.collect()}
    only_in_alerts = {"orca_daemon_message_age_limit_seconds"}

    assert {name for name in names if name.startswith("orca_daemon_") and name not in text} == only_in_alerts
