"""Writes orca-daemon.json, the dashboard for Grafana, from the panels in panels/ (`./dev docs`)."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from panels import ROWS
from panels.panel import Panel

FILE = Path(__file__).parent / "orca-daemon.json"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
DOCS = "${docs}docs/"
"""The pages; the variable holds the address of the repository."""
WIDTH = 24


def main() -> None:
    """Write the file."""
    FILE.write_text(text(), "utf-8")


def text() -> str:
    """The content of the file."""
    return json.dumps(dashboard(), indent=1) + "\n"


def dashboard() -> dict[str, Any]:
    """Grafana's document (its JSON model, schema version 39)."""
    return {
        "uid": "orca-daemon",
        "title": "orca-daemon",
        "tags": ["orca"],
        "timezone": "utc",
        "schemaVersion": 39,
        "version": 2,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "links": [_link("Runbook", _page("alerts"))],
        "templating": {"list": list(_variables())},
        "annotations": {"list": [_starts()]},
        "panels": list(_rows()),
    }


def _rows() -> Iterator[dict[str, Any]]:
    """The first row open, and the others folded: a folded row holds its panels, an open one precedes them."""
    number, y = 1, 0
    for at, (title, panels) in enumerate(ROWS.items()):
        row = {"id": number, "type": "row", "title": title, "collapsed": at > 0, "panels": []}
        row["gridPos"] = {"h": 1, "w": WIDTH, "x": 0, "y": y}
        placed = list(_placed(panels, number + 1, y + 1))
        number += len(placed) + 1
        if at:
            yield row | {"panels": placed}
            y += 1
        else:
            yield from (row, *placed)
            y = max(each["gridPos"]["y"] + each["gridPos"]["h"] for each in placed)


def _placed(panels: Sequence[Panel], number: int, y: int) -> Iterator[dict[str, Any]]:
    x = height = 0
    for offset, panel in enumerate(panels):
        if x + panel.width > WIDTH:
            x, y, height = 0, y + height, 0
        place = {"h": panel.height, "w": panel.width, "x": x, "y": y}
        yield {"id": number + offset, "gridPos": place, **_panel(panel)}
        x, height = x + panel.width, max(height, panel.height)


def _panel(panel: Panel) -> dict[str, Any]:
    table = panel.kind == "table"
    targets = [
        {"refId": chr(ord("A") + at), "expr": query, "legendFormat": legend}
        | ({"instant": True, "format": "table"} if table else {})
        for at, (query, legend) in enumerate(panel.queries.items())
    ]
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": f"{panel.shows} {panel.do}",
        "datasource": SOURCE,
        "targets": targets,
        "links": [_link("Runbook", _page(panel.runbook))],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel.kind),
    }


def _page(runbook: str) -> str:
    return DOCS + (runbook if "#" in runbook else f"operate.md#{runbook.lower()}")


def _defaults(panel: Panel) -> dict[str, Any]:
    if panel.red is None:
        steps = [{"color": "blue", "value": None}]
    elif panel.red_below:
        steps = [{"color": "red", "value": None}, {"color": "green", "value": panel.red}]
    else:
        steps = [{"color": "green", "value": None}, {"color": "red", "value": panel.red}]
    defaults: dict[str, Any] = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.kind == "timeseries":
        shown = "off" if panel.red is None else "dashed+area"
        defaults["custom"] = {"fillOpacity": 10, "thresholdsStyle": {"mode": shown}}
        defaults["min"] = 0
    if panel.kind == "stat":
        defaults["noValue"] = "0"  # no alert fires; "No data" would look like a fault
    return defaults


def _options(kind: str) -> dict[str, Any]:
    if kind == "stat":
        return {
            "colorMode": "background",
            "reduceOptions": {"calcs": ["lastNotNull"]},
            "textMode": "value_and_name",
        }
    if kind == "timeseries":
        return {
            "legend": {"displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    return {"showHeader": True}


def _link(title: str, url: str) -> dict[str, Any]:
    return {"title": title, "type": "link", "url": url, "targetBlank": True}


def _variables() -> Iterator[dict[str, Any]]:
    yield {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"}
    yield _choice("instance", "Instance", "label_values(orca_daemon_build_info, instance)")
    yield _choice("queue", "Queue", "label_values(orca_daemon_messages_received_total, queue)")
    address = "https://git.example.org/orca-daemon/blob/main/"
    yield {
        "name": "docs",
        "type": "textbox",
        "label": "Repository",
        "description": "For the links: where the files of your version are, with a slash at the end.",
        "query": address,
        "current": {"text": address, "value": address},
    }


def _choice(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "label": label,
        "datasource": SOURCE,
        "query": query,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "refresh": 2,
        "current": {"text": "All", "value": "$__all"},
    }


def _starts() -> dict[str, Any]:
    return {
        "name": "Starts",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": "blue",
        "expr": 'changes(process_start_time_seconds{instance=~"$instance"}[1m]) > 0',
        "titleFormat": "start of {{instance}}",
    }


if __name__ == "__main__":
    main()
