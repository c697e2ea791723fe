"""Lets Prometheus's own promtool evaluate the alert rules on stretched phases."""

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.alerts.scrapes import Phase
from tests.deploy.alerts.stretch import Grid, selector, stretched

RULES = Path(__file__).parents[3] / "deploy/prometheus/alerts.yml"
PROMTOOL = shutil.which("promtool")
METRIC = re.compile(r"\b(?:up(?=\W*\{)|(?:orca_daemon|process)_\w+)\b")
"""The name of a series in a query."""


def rules() -> dict[str, Any]:
    """The alerts by name."""
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def queried() -> set[str]:
    """The names of all series that an alert asks for."""
    return {name for rule in rules().values() for name in METRIC.findall(rule["expr"])}


def judge(name: str, phases: Sequence[Phase], folder: Path) -> None:
    """Fail unless exactly the alerts that each phase names fire at its end, and no others during it."""
    file = folder / "alerts_test.yml"
    grid = Grid.of(phases)
    series = stretched(phases, queried(), grid)
    document = {
        "rule_files": [str(RULES)],
        "evaluation_interval": f"{grid.step}m",
        "tests": [
            {
                "name": name,
                "interval": f"{grid.step}m",
                "input_series": [{"series": selector(key), "values": text} for key, text in series.items()],
                "promql_expr_test": list(_expectations(phases, grid)),
            }
        ],
    }
    file.write_text(yaml.safe_dump(document, width=200), "utf-8")
    done = subprocess.run(
        [str(PROMTOOL), "test", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


def _expectations(phases: Sequence[Phase], grid: Grid) -> Iterator[dict[str, Any]]:
    end, before = grid.before, frozenset[str]()
    for phase in phases:
        end += phase.minutes
        at = f"{end - grid.step}m"
        yield _expect('group by (alertname, queue) (ALERTS{alertstate="firing"})', at, phase.firing)
        names = {alert.split()[0] for alert in phase.firing | phase.meanwhile | before}
        allowed = "|".join(sorted(names)) or "none"
        during = f'{{alertstate="firing", alertname!~"{allowed}"}}[{phase.minutes - grid.step}m]'
        yield _expect(f"group by (alertname) (last_over_time(ALERTS{during}))", at, ())
        before = phase.firing


def _expect(query: str, at: str, alerts: Iterable[str]) -> dict[str, Any]:
    samples = [{"labels": _labels(*alert.split()), "value": 1} for alert in sorted(alerts)]
    return {"expr": query, "eval_time": at, "exp_samples": samples}


def _labels(alert: str, queue: str = "") -> str:
    return f'{{alertname="{alert}", queue="{queue}"}}' if queue else f'{{alertname="{alert}"}}'
