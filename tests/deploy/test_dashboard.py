"""The dashboard: made from its panels, explained, one unit to a panel, and right for several replicas."""

import json
import re
import runpy
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

GRAFANA = Path(__file__).parents[2] / "deploy/grafana"
DOCS = Path(__file__).parents[2] / "docs"
ALIKE = re.compile(
    r"orca_daemon_(queue_(visible|inflight|delayed)_messages|queue_config_info|dead_letter_queue_\w+"
    r"|recovery_files\w*|oldest_open_recovery\w+|reconcile_(differences|not_compared|last_success\w+))\b"
)
"""What every replica reports alike, because it reads it from the same queue or database."""
ADDITIVE = re.compile(
    r"orca_daemon_(messages_held|message_bytes_held|fifo_lanes|copy_parts_in_flight|reconcile_running)\b"
)
"""Gauges of which each replica has its own part."""
UNITS = {"short", "s", "ops", "bytes", "Bps", "percentunit"}
LOOKS_LIKE = [
    ("ops", re.compile(r"^(?!histogram_quantile)(?!.*( / |bytes|_cpu_)).*rate\(.*\)$")),
    ("Bps", re.compile(r"rate\(orca_daemon_\w*bytes_total")),
    ("s", re.compile(r"^histogram_quantile\(.*_seconds_bucket")),
    ("s", re.compile(r"^(max by \(\w+\) \()?time\(\) - ")),
    ("bytes", re.compile(r"^(sum|max)[^(]*(\([^)]*\))? ?\((orca_daemon|process)_\w+_bytes(_held)?\{")),
]
"""What an expression measures, by its form."""


@cache
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((GRAFANA / "orca-daemon.json").read_text("utf-8"))
    return loaded


def rows() -> list[dict[str, Any]]:
    return [panel for panel in document()["panels"] if panel["type"] == "row"]


def panels() -> list[dict[str, Any]]:
    """All panels, those in folded rows too."""
    top = document()["panels"]
    return [each for panel in top for each in (panel["panels"] if panel["type"] == "row" else [panel])]


PANELS = {panel["title"]: panel for panel in panels()}
each_panel = pytest.mark.parametrize("panel", PANELS.values(), ids=PANELS.keys())


def queries(panel: dict[str, Any]) -> list[str]:
    return [target["expr"] for target in panel["targets"]]


def test_the_file_is_what_its_program_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(GRAFANA), *sys.path])

    made = runpy.run_path(str(GRAFANA / "dashboard.py"))["text"]()

    assert made == (GRAFANA / "orca-daemon.json").read_text("utf-8"), "./dev docs"


def test_backlog_and_dead_letters_come_first_and_all_other_rows_are_folded() -> None:
    first, *others = rows()

    assert document()["panels"][0] == first
    assert (first["collapsed"], first["panels"]) == (False, [])
    assert all(row["collapsed"] and row["panels"] for row in others)
    shown = [panel["title"] for panel in document()["panels"] if panel["type"] != "row"]
    assert {"Alerts that fire", "Messages that wait", "Dead letters"} <= set(shown)


def test_no_panel_query_or_id_is_there_twice() -> None:
    titles = Counter(panel["title"] for panel in panels())
    asked = Counter(query for panel in panels() for query in queries(panel))
    ids = Counter(panel["id"] for panel in [*panels(), *rows()])

    assert [key for counted in (titles, asked, ids) for key, count in counted.items() if count > 1] == []


def test_no_panel_covers_another() -> None:
    for group in [document()["panels"], *(row["panels"] for row in rows() if row["panels"])]:
        cells = Counter(
            (x, y)
            for panel in group
            for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
        )
        assert max(cells.values()) == 1
        assert max(x for x, _ in cells) < 24


@each_panel
def test_a_panel_says_what_it_shows_and_what_to_do_when_it_is_red(panel: dict[str, Any]) -> None:
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    can_be_red = "red" in {step["color"] for step in steps}

    assert ("Red" in panel["description"], "No limit" in panel["description"]) == (can_be_red, not can_be_red)
    assert len(panel["description"]) > 60


@each_panel
def test_a_panel_links_to_a_heading_of_the_runbook(panel: dict[str, Any]) -> None:
    (link,) = panel["links"]

    page, _, anchor = link["url"].removeprefix("${docs}docs/").partition("#")
    headings = re.findall(r"^#+ (.+)$", (DOCS / page).read_text("utf-8"), re.MULTILINE)
    assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@each_panel
def test_a_panel_has_one_unit(panel: dict[str, Any]) -> None:
    unit = panel["fieldConfig"]["defaults"]["unit"]

    measured = {name for query in queries(panel) for name, form in LOOKS_LIKE if form.search(query)}

    assert unit in UNITS
    assert measured <= {unit}


@each_panel
def test_a_panel_adds_up_over_replicas_only_what_each_has_for_itself(panel: dict[str, Any]) -> None:
    for query in queries(panel):
        if ALIKE.search(query):
            assert not re.search(r"\b(sum|avg|count)\b", query)
            assert re.search(r"\b(max|min)\b", query)
        if re.search(r"\brate\(", query) or ADDITIVE.search(query):
            assert re.search(r"\bsum\b", query)
            assert not re.search(r"\b(avg|max|min)\b", query)
        if "histogram_quantile" in query:
            assert re.search(r"by \([^)]*\ble\)", query)


@each_panel
def test_the_brackets_of_a_query_are_closed(panel: dict[str, Any]) -> None:
    for query in queries(panel):
        bare = re.sub(r'"[^"]*"', "", query)
        assert [bare.count(each) for each in "([{"] == [bare.count(each) for each in ")]}"]
